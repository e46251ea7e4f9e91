import { isDeepStrictEqual } from "node:util";
import { LineCounter, parseDocument, type YAMLMap, type YAMLSeq } from "yaml";
import { parsePolicy } from "../../callers/policy.ts";

/** One key of a callers file. */
export interface FileKey {
  readonly caller: string;
  readonly sha256: string;
}

/** A key that goes, and the lines of the file that it stood on, counted from 1. */
export interface RemovedKey extends FileKey {
  readonly firstLine: number;
  readonly lastLine: number;
}

/** A stretch of the text that goes, and what comes in its place. */
interface Cut {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The text of a callers file without some of its keys. Lines are cut out, with a comment between the key and the one
 * before it, and every other byte stays; only keys that share a line take writing the file anew, which keeps comments
 * but not each space.
 * @throws Error, safe to show, when the file is not a good one before or would not be afterwards.
 */
export function withoutKeys(
  text: string,
  isRevoked: (key: FileKey) => boolean,
): { readonly text: string; readonly removed: readonly RemovedKey[] } {
  parsePolicy(text);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const removed: RemovedKey[] = [];
  const cuts: Cut[] = [];
  const callers = document.get("callers") as YAMLSeq.Parsed<YAMLMap.Parsed>;
  for (const caller of callers.items) {
    const pair = caller.items.find(({ key }) => String(key) === "keys");
    if (!pair) continue;
    const list = pair.value as YAMLSeq.Parsed<YAMLMap.Parsed>;
    const staying: YAMLMap.Parsed[] = [];
    let before: number | undefined;
    for (const item of list.items) {
      const [start, , end] = item.range;
      const key = { caller: String(caller.get("id")), sha256: String(item.get("sha256")) };
      if (isRevoked(key)) {
        cuts.push({ start: before ?? text.lastIndexOf("\n", start) + 1, end, text: "" });
        const lastLine = lines.linePos(start + text.slice(start, end).trimEnd().length).line;
        removed.push({ ...key, firstLine: lines.linePos(start).line, lastLine });
      } else staying.push(item);
      before = end;
    }
    // Nothing under `keys:` would be no list.
    const colon = text.indexOf(":", pair.key.range[1]) + 1;
    if (staying.length < list.items.length && staying.length === 0)
      cuts.push({ start: colon, end: colon, text: " []" });
    list.items = staying;
  }
  if (removed.length === 0) return { text, removed };
  const cut = applied(text, cuts);
  const result = means(cut, document.toJS()) ? cut : document.toString(plainStyle);
  parsePolicy(result);
  return { text: result, removed };
}

/** Long lines stay whole, and lists in one line get no inner spaces. */
const plainStyle = { lineWidth: 0, flowCollectionPadding: false } as const;

function applied(text: string, cuts: readonly Cut[]): string {
  let result = "";
  let done = 0;
  for (const cut of cuts.toSorted((one, other) => one.start - other.start)) {
    result += text.slice(done, cut.start) + cut.text;
    done = cut.end;
  }
  return result + text.slice(done);
}

function means(text: string, value: unknown): boolean {
  const document = parseDocument(text);
  return document.errors.length === 0 && isDeepStrictEqual(document.toJS(), value);
}
