import fc from "fast-check";
import t from "tap";
import { prefersNdjson } from "../../../src/http/audit/accept.ts";

t.test("NDJSON only for who would rather have it", async (t) => {
  for (const accept of [
    "application/x-ndjson",
    "Application/X-NDJSON",
    " application/x-ndjson ; charset=utf-8",
    "application/x-ndjson;q=0.001",
    "application/x-ndjson; Q=1.000",
    "text/html, application/x-ndjson",
    "application/x-ndjson, */*;q=0.1",
    "application/json;q=0.5, application/x-ndjson;q=0.6",
    "application/json;q=0, */*",
    "application/json;q=0, application/*;q=0.2, */*;q=0",
  ]) {
    t.equal(prefersNdjson(accept), true, accept);
  }
});

t.test("JSON for everybody else", async (t) => {
  for (const accept of [
    undefined,
    "",
    ",",
    "*/*",
    "application/*",
    "application/json",
    "application/json, text/plain, */*",
    "application/x-ndjson, application/json",
    "application/x-ndjson, */*",
    "application/x-ndjson;q=0",
    "application/x-ndjson;q=0.000, */*;q=0.1",
    "application/x-ndjson;q=0, application/json;q=0",
    "application/x-ndjson;q=0.9, application/json",
    "text/html",
    "application/x-ndjson-2",
    "x-application/x-ndjson",
    "application/x-ndjson;q=2",
    "application/x-ndjson;q=-1",
    "application/x-ndjson;q=1.5",
    "application/x-ndjson;q=",
    "application/x-ndjson;q=NaN",
    "application/x-ndjson;q=0.0001",
    "application/x-ndjson;q=0x1",
  ]) {
    t.equal(prefersNdjson(accept), false, `Accept: ${accept}`);
  }
});

t.test("no header makes it fail", async () => {
  const piece = fc.constantFrom(
    "application/x-ndjson",
    "*/*",
    "application/json",
    ",",
    ";",
    "q=",
    "0.5",
    '"',
    " ",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (pieces) => {
      return typeof prefersNdjson(pieces.join("")) === "boolean";
    }),
  );
});
