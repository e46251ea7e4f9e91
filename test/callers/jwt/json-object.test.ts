import t from "tap";
import { parseJsonObject } from "../../../src/callers/jwt/json-object.ts";
import { refused } from "./tokens.ts";

const parse = (text: string) => parseJsonObject(Buffer.from(text));

t.test("objects are taken as they are", async (t) => {
  const objects = [
    {},
    { a: 1, b: { a: 1, c: [{ a: 1 }, { a: 2 }] }, d: [1, "a", null, true] },
    { 'a":1,"b': '{"a":1,"a":2}', '\\"a': "a", "": "", __proto__x: 1, ü: "ü" },
  ];
  for (const object of objects) t.strictSame(parse(JSON.stringify(object)), object);
  t.strictSame(Object.keys(parse('{"__proto__":1,"iss":2}')), ["__proto__", "iss"]);
});

t.test("a name that stands twice is refused at any depth and in any spelling", async (t) => {
  for (const text of [
    '{"iss":1,"iss":1}',
    '{"iss":1,"sub":2,"iss":3}',
    '{"iss":1,"\\u0069ss":2}',
    '{"is\\u0073":1,"i\\u0073s":2}',
    '{"a":{"b":1,"b":2}}',
    '{"a":[[{"b":1},{"b":1,"b":2}]]}',
    '{"":1,"":2}',
    '{"a":{"b":{}},"c":1,"a":2}',
    '{ "a" : 1 ,\n"a"\t:\r2 }',
    '{"__proto__":1,"__proto__":2}',
    '{"\\/":1,"/":2}',
  ])
    t.throws(() => parse(text), refused("duplicate_member"), text);
});

t.test("what is no JSON object is malformed", async (t) => {
  for (const text of [
    "",
    "[]",
    '"a"',
    "1",
    "null",
    "true",
    "{",
    '{"a":1,}',
    "{'a':1}",
    '{"a":1}//',
    '{"a":1} x',
    "{a:1}",
  ])
    t.throws(() => parse(text), refused("malformed"), text);
  t.throws(() => parse("\u{feff}{}"), refused("malformed"), "a byte order mark");
  t.throws(
    () => parseJsonObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
    refused("malformed"),
  );
});

t.test("depth is bounded", async (t) => {
  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
  t.ok(parse(nested(32)));
  t.throws(() => parse(nested(33)), refused("malformed"));
  t.throws(() => parse(`{"a":${"[".repeat(3000)}${"]".repeat(3000)}}`), refused("malformed"));
});
