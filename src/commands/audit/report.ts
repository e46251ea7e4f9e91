import { asciiOf } from "../../audit/export.ts";
import type { Fault } from "../../audit/verify/findings.ts";
import type { VerifyReport } from "../../audit/verify/verify.ts";

/** So many things, as people read it. */
export function many(count: number, thing: string): string {
  return `${count.toLocaleString("en-US")} ${thing}${count === 1 ? "" : "s"}`;
}

/** What a verification found, for people. */
export function reportOf(report: VerifyReport): string {
  const { records, streams, stopped, prunings, faults } = report;
  const lines = [
    `Checked ${many(records, "record")} in ${many(streams, "stream")}; ${stopped} of them ended with a stop.`,
    ...anchorLines(report),
    ...unfinishedLines(report),
    ...prunings.map(
      ({ id, months, anchored }) =>
        `Relies on ${id}, which removed ${months.join(", ")}; ${anchored ? "an anchor names it" : "no anchor names it"}.`,
    ),
    ...faults.flatMap(faultLines),
    ...(faults.length === 0 ? ["The trail is whole."] : []),
  ];
  // Names come from a store that somebody may have written to.
  return `${lines.map(asciiOf).join("\n")}\n`;
}

function anchorLines({ anchors, unreadableLines }: VerifyReport): string[] {
  if (anchors + unreadableLines === 0) {
    return ["Without --anchors it cannot be seen that the newest records were cut off, or all made anew."];
  }
  const unread = unreadableLines > 0 ? [`${many(unreadableLines, "anchor line")} could not be read.`] : [];
  return [`Compared with ${many(anchors, "anchor")}.`, ...unread];
}

function unfinishedLines({ unfinished: { count, first } }: VerifyReport): string[] {
  if (count === 0) return [];
  const ids = `${first.join(", ")}${count > first.length ? ", ..." : ""}`;
  return [`${many(count, "attempt")} without an outcome, maybe under way: ${ids}`];
}

function faultLines({ kind, count, first: { id, position, what } }: Fault): string[] {
  const at = position === undefined ? "" : ` (position ${position})`;
  const times = count === 1 ? "once:" : `${count.toLocaleString("en-US")} times, first:`;
  return [`FAULT ${kind}, ${times}`, `  ${id === undefined ? "" : `${id}${at}: `}${what}`];
}
