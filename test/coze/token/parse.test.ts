import t from "tap";
import { parseToken } from "../../../src/coze/token/parse.ts";

t.test("blanks around and a byte order mark are dropped", async (t) => {
  for (const content of ["sat_12345", "\uFEFFsat_12345\r\n", Buffer.from(" \tsat_12345\n\n")])
    t.equal(parseToken(content), "sat_12345");
});

t.test("what no header could carry is refused, without a word of it", async (t) => {
  const cases: [content: string, problem: string][] = [
    [" \n", "the token is empty"],
    ["sat_12345\nsat_12345", "the token has more than one line"],
    ["sat_1 2345", "the token has blanks or characters that a header cannot carry"],
    ["sat_123\u00e9", "the token has blanks or characters that a header cannot carry"],
    ["sat_123", "the token must have 8 to 8192 characters"],
    ["x".repeat(8193), "the token must have 8 to 8192 characters"],
  ];
  for (const [content, message] of cases) t.throws(() => parseToken(content), { message });
  t.equal(parseToken("x".repeat(8192)).length, 8192);
  t.equal(parseToken("x".repeat(8)), "xxxxxxxx");
});
