import fc from "fast-check";
import t from "tap";
import { asLogid, parseEnvelope } from "../../src/coze/envelope.ts";

const parse = (text: string) => parseEnvelope(Buffer.from(text));
const logidChars = [..."ABCDEFabcdef0123456789_-"];
const logid = fc.string({ unit: fc.constantFrom(...logidChars), minLength: 1, maxLength: 128 });

t.test("no bytes make it throw", async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      parseEnvelope(Buffer.from(bytes));
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.json(), (text) => void parse(text)));
});

t.test("what it reads of a valid envelope is what went in", async () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.string(), logid, fc.jsonValue(), (code, msg, id, data) => {
      const body = JSON.stringify({ code, msg, data, detail: { logid: id } });
      const read = parse(body);
      return read?.code === code && read.msg === msg && read.logid === id;
    }),
  );
});

t.test("only the number 0 is success", async () => {
  fc.assert(
    fc.property(fc.jsonValue(), (code) => {
      const success = parse(JSON.stringify({ code, msg: "" }))?.code === 0;
      return success === (code === 0);
    }),
    { examples: [[0], ["0"], ["00"], [""], [null], [false], [[]], [[0]], [{}], [0.5]] },
  );
});

for (const [text, code] of [
  ['{"code":0}', 0],
  ['{"code":0.0}', 0],
  ['{"code":4000}', 4000],
  ['{"code":-1}', -1],
  ['{"code":"4000"}', 4000],
  ['{"code":"720702204"}', 720702204],
  [`{"code":${2 ** 53 - 1}}`, 2 ** 53 - 1],
  ['{"code":9007199254740993}', undefined],
  ['{"code":"9007199254740993"}', undefined],
  ['{"code":"0"}', undefined],
  ['{"code":"-1"}', undefined],
  ['{"code":"4e3"}', undefined],
  ['{"code":""}', undefined],
  ['{"code":0.5}', undefined],
  ['{"code":1e400}', undefined],
  ['{"code":null}', undefined],
  ['{"code":true}', undefined],
  ['{"code":[0]}', undefined],
  ['{"msg":"no code"}', undefined],
  ["{}", undefined],
  ["[]", undefined],
  ['[{"code":0}]', undefined],
  ["0", undefined],
  ["null", undefined],
  ['"x"', undefined],
  ["", undefined],
  ['{"code":0', undefined],
  ['{"code":0}x', undefined],
  ["<html></html>", undefined],
] as const) {
  t.equal(parse(text)?.code, code, text || "empty");
}

t.test("bytes that are not UTF-8 are no envelope, even where JSON would have a letter", async (t) => {
  const bytes = Buffer.from('{"code":0,"msg":"\u00ff"}', "latin1");
  t.equal(parseEnvelope(bytes), undefined);
});

t.test("a msg that is no text reads as none", async (t) => {
  t.equal(parse('{"code":1}')?.msg, "");
  t.equal(parse('{"code":1,"msg":7}')?.msg, "");
});

t.test("the logid comes from detail, then from the old place, and only when well-formed", async (t) => {
  t.equal(parse('{"code":1,"detail":{"logid":"a"},"error":{"logid":"b"}}')?.logid, "a");
  t.equal(parse('{"code":1,"detail":{"logid":""},"error":{"logid":"b"}}')?.logid, "b");
  t.equal(parse('{"code":1,"detail":"a","error":["b"]}')?.logid, undefined);
  t.equal(parse('{"code":1,"detail":{"logid":7}}')?.logid, undefined);
  t.equal(parse('{"code":1,"detail":null}')?.logid, undefined);
});

t.test("a logid can stand in a header", async () => {
  fc.assert(fc.property(logid, (id) => asLogid(id) === id));
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      return (asLogid(text) === text) === /^[A-Za-z0-9_-]{1,128}$/.test(text);
    }),
    { examples: [["a\r\nx: y"], ["a b"], ["a\n"], ["x".repeat(128)], ["x".repeat(129)], [""]] },
  );
  fc.assert(fc.property(fc.anything(), (value) => typeof value === "string" || asLogid(value) === undefined));
});
