import { badParameter } from "./reply.ts";

/** Something with a place in a list: its number never changes and is never given twice. */
export interface Numbered {
  readonly seq: number;
}

/** `data` of a paged reply; `next_page_token` is absent on the last page (FACTS (f)). */
export interface Page<T> {
  readonly items: readonly T[];
  readonly has_more: boolean;
  readonly next_page_token?: string;
}

/**
 * The page that the query asks for. The token names the last item seen, not a position, so that items deleted between
 * two pages hide no other item.
 */
export function page<T extends Numbered>(
  items: Iterable<T>,
  query: Readonly<Record<string, unknown>>,
): Page<T> {
  const after = decode(query["page_token"]);
  const size = pageSize(query["page_size"]);
  const rest = [...items].filter((item) => item.seq > after);
  const shown = rest.slice(0, size);
  const last = shown.at(-1);
  if (last === undefined || rest.length <= size) return { items: shown, has_more: false };
  return { items: shown, has_more: true, next_page_token: encode(last.seq) };
}

function pageSize(value: unknown): number {
  const size = value === undefined ? 50 : Number(value);
  if (!Number.isInteger(size) || size < 1 || size > 50) {
    throw badParameter("page_size must be between 1 and 50");
  }
  return size;
}

/** `>>>???` gives a plus and a slash in base64 and the length gives `==`: a client that does not URL-encode is found out. */
function encode(seq: number): string {
  return Buffer.from(`>>>???${String(seq).padStart(10, "0")}`).toString("base64");
}

function decode(value: unknown): number {
  if (value === undefined || value === "") return 0;
  const text = String(value);
  const digits = /^>>>\?\?\?(\d{10})$/.exec(Buffer.from(text, "base64").toString())?.[1];
  const seq = Number(digits);
  if (digits === undefined || encode(seq) !== text) throw badParameter("page_token is invalid");
  return seq;
}
