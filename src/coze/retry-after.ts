/** Beyond this many seconds the number says nothing more, and would not fit a timer. */
const mostSeconds = 2_147_483;

const httpDate =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * Reads `Retry-After` (RFC 9110 section 10.2.3) in both forms. Of several values the longest wait counts: a hint
 * is a request to be left alone. What cannot be read is no hint.
 * @param now ms since the epoch, to which a date is compared.
 * @returns ms to wait, 0 or more; undefined without a readable hint.
 */
export function parseRetryAfter(
  value: string | readonly string[] | undefined,
  now: number,
): number | undefined {
  const waits = [value ?? []].flat().map((text) => parseOne(text.trim(), now));
  return waits.reduce((most, wait) => (wait === undefined || (most ?? -1) > wait ? most : wait), undefined);
}

function parseOne(text: string, now: number): number | undefined {
  if (/^\d+$/.test(text)) return Math.min(Number(text), mostSeconds) * 1000;
  if (!httpDate.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.min(Math.max(0, date - now), mostSeconds * 1000);
}
