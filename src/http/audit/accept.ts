/** Media type of an export: one JSON text on each line. */
export const ndjson = "application/x-ndjson";

/** A number of RFC 9110, section 12.4.2. */
const weight = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * True when an `Accept` header would rather have NDJSON than JSON (RFC 9110, section 12.5.1). Who has no preference,
 * or takes neither, gets JSON.
 */
export function prefersNdjson(accept = "*/*"): boolean {
  const qualities = qualitiesOf(accept);
  /** The most specific range that fits decides. */
  const qualityOf = (type: string) =>
    qualities.get(type) ?? qualities.get("application/*") ?? qualities.get("*/*") ?? 0;
  return qualityOf(ndjson) > qualityOf("application/json");
}

function qualitiesOf(accept: string): Map<string, number> {
  return new Map(
    accept.split(",").map((element) => {
      const [range = "", ...parameters] = element.split(";").map((part) => part.trim().toLowerCase());
      const q = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
      // A weight that is none is no wish.
      return [range, q === undefined ? 1 : weight.test(q) ? Number(q) : 0];
    }),
  );
}
