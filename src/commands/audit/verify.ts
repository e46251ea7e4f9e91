import { parseArgs } from "node:util";
import { readAnchor } from "../../audit/verify/anchor.ts";
import { verify } from "../../audit/verify/verify.ts";
import { CommandFailure, type Terminal } from "../command.ts";
import { linesOf } from "./lines.ts";
import { progressTo } from "./progress.ts";
import { many, reportOf } from "./report.ts";
import { withStore } from "./store.ts";

/**
 * `audit verify [--anchors FILE]...`: proves that nobody changed the trail. FILE is a log of the gateway, `-` standard
 * input.
 * @throws {CommandFailure} when the trail is not whole, or a file cannot serve as anchors.
 */
export async function auditVerify(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { anchors: { type: "string", multiple: true } } });
  const anchors = values.anchors && anchorsIn(values.anchors);
  const report = await withStore(terminal, (store) =>
    verify(store, { anchors, onProgress: progressTo(terminal) }),
  );
  terminal.out(reportOf(report));
  const { length } = report.faults;
  if (length > 0) throw new CommandFailure(`The audit trail is not whole: ${many(length, "kind")} of fault.`);
}

/** The lines of all files; one without a single anchor is the wrong file. */
async function* anchorsIn(files: readonly string[]): AsyncGenerator<string> {
  for (const file of files) {
    let found = false;
    try {
      for await (const line of linesOf(file)) {
        found ||= typeof readAnchor(line) === "object";
        yield line;
      }
    } catch (error) {
      throw new CommandFailure(`--anchors ${file}: ${(error as Error).message}`);
    }
    if (!found)
      throw new CommandFailure(`--anchors ${file}: holds no audit line; is it a log of the gateway?`);
  }
}
