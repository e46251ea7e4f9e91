import type { Progress } from "../../audit/verify/verify.ts";
import type { Terminal } from "../command.ts";
import { many } from "./report.ts";

const everyMs = 3_000;

/** Tells a person at a terminal, every few seconds, how far a verification has come; nobody else. */
export function progressTo(
  { isTTY, out }: Pick<Terminal, "isTTY" | "out">,
  now = () => performance.now(),
): (progress: Progress) => void {
  let toldAt = now();
  return ({ anchors, records }) => {
    if (!isTTY || now() - toldAt < everyMs) return;
    toldAt = now();
    out(`... ${many(anchors, "anchor")}, ${many(records, "record")}\n`);
  };
}
