import type { Span } from "./json-tree.ts";

/** Bytes to put in the place of a stretch. */
export interface Edit extends Span {
  readonly bytes: Buffer;
}

const nothing = Buffer.alloc(0);

/**
 * The body with the edits made, every other byte as it was; the body itself when there are none. Of two edits one of
 * which lies inside the other only the larger is made.
 */
export function edited(body: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return body;
  const parts: Buffer[] = [];
  let done = 0;
  for (const { start, end, bytes } of edits.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    if (start < done) continue;
    parts.push(body.subarray(done, start), bytes);
    done = end;
  }
  parts.push(body.subarray(done));
  return Buffer.concat(parts);
}

/**
 * The edits that take elements out of an array, each with one comma: that before it, or that after it when no element
 * before it stays.
 * @param elements all of the array, in their order.
 */
export function removals<T extends Span>(elements: readonly T[], stays: (element: T) => boolean): Edit[] {
  const edits: Edit[] = [];
  let lastEnd: number | undefined;
  for (const [index, element] of elements.entries()) {
    const { start, end } = element;
    if (stays(element)) lastEnd = end;
    // Of a run, the edit for its last element spans the others.
    else if (lastEnd !== undefined) edits.push({ start: lastEnd, end, bytes: nothing });
    else edits.push({ start, end: elements[index + 1]?.start ?? end, bytes: nothing });
  }
  return edits;
}
