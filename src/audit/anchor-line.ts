import type { Sealed } from "./chain.ts";

/** A record as a line of the log: with it `audit verify --anchors` finds what the store alone cannot show. */
export function anchorLine({ record: { stream, seq }, text, hash }: Sealed): string {
  const ts = new Date().toISOString();
  return `{"level":"info","ts":"${ts}","event":"audit","stream":"${stream}","seq":${seq},"hash":"${hash}","record":${text}}\n`;
}
