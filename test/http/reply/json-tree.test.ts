import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import {
  type JsonNode,
  mostDepth,
  parseJsonTree,
  UnreadableReply,
} from "../../../src/http/reply/json-tree.ts";
import { json, write } from "./random-json.ts";

/** What a node means; numbers and the like are read from where the node says that they stand. */
function meaningOf(node: JsonNode, text: string): unknown {
  switch (node.kind) {
    case "object":
      return Object.fromEntries(node.members.map(({ name, value }) => [name, meaningOf(value, text)]));
    case "array":
      return node.elements.map((each) => meaningOf(each, text));
    case "string":
      return node.text;
    case "null":
      return null;
    default:
      return JSON.parse(text.slice(node.start, node.end));
  }
}

/** What JSON.parse makes of it; undefined when it refuses. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the tree means; undefined when it is refused, as it should be refused. */
function read(text: string): unknown {
  try {
    return meaningOf(parseJsonTree(text), text);
  } catch (error) {
    if (error instanceof UnreadableReply) return undefined;
    throw error;
  }
}

t.test("it means what JSON.parse says, and every value stands where it says", async () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = write(value);
      const node = parseJsonTree(` ${text}\n`);
      assert.equal(` ${text}`.slice(node.start, node.end), text);
      assert.deepEqual(read(text), JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

t.test("names and texts with all repeats, in their order", async (t) => {
  t.match(parseJsonTree('{"a":1,"\\u0061":[null],"b":{},"a":"\\n"}'), {
    kind: "object",
    start: 0,
    end: 39,
    members: [
      { name: "a", value: { kind: "other", start: 5, end: 6 } },
      { name: "a", value: { kind: "array", elements: [{ kind: "null", start: 17, end: 21 }] } },
      { name: "b", value: { kind: "object", members: [], start: 27, end: 29 } },
      { name: "a", value: { kind: "string", text: "\n" } },
    ],
  });
});

t.test("it takes what JSON.parse takes, and nothing else", async (t) => {
  const refused = [
    "",
    " ",
    "// a\n1",
    "1 // a",
    "/* a */ 1",
    "[1 /* a */]",
    "[1,]",
    "[,1]",
    "[,]",
    "[1,,2]",
    '{"a":1,}',
    "{,}",
    '{,"a":1}',
    "{a:1}",
    "{'a':1}",
    '{"a" 1}',
    '{"a":}',
    '{"a"}',
    "[1 2]",
    '{"a":1 "b":2}',
    "[1}",
    '{"a":1]',
    "[",
    "{",
    '{"a":',
    "]",
    "1 2",
    "{}{}",
    "01",
    "-",
    "-a",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "0x1",
    "NaN",
    "Infinity",
    "undefined",
    "True",
    "nul",
    "nulll",
    '"',
    '"a',
    '"a\nb"',
    '"a\tb"',
    '"a\u0000"',
    '"\\x"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\"',
    "\ufeff1",
    "\u00a01",
    "1\u0000",
    "[1\f]",
  ];
  for (const text of refused) {
    t.equal(parsed(text), undefined, `JSON.parse refuses ${JSON.stringify(text)}`);
    t.throws(() => parseJsonTree(text), UnreadableReply, JSON.stringify(text));
  }
  const odd = fc.constantFrom(...'{}[],:"\\/*-+.eEu019 tfn\n\t\u0000\u001f\u0020\u0085\ufeff\u2028é');
  fc.assert(
    fc.property(
      json,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 2 }), odd), { maxLength: 3 }),
      (value, faults) => {
        const text = faults.reduce((whole, [at, removed, added]) => {
          const place = at % (whole.length + 1);
          return whole.slice(0, place) + added + whole.slice(place + removed);
        }, write(value));
        assert.deepEqual(read(text), parsed(text));
      },
    ),
    { numRuns: 3000 },
  );
});

t.test("what is nested too deep is refused, however deep it is", async (t) => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  t.equal(parseJsonTree(nested(mostDepth)).end, 2 * mostDepth);
  const bombs = [
    nested(mostDepth + 1),
    nested(1024 * 1024),
    "[".repeat(1024 * 1024),
    '{"a":'.repeat(200_000),
    '[{"a":'.repeat(200_000),
  ];
  for (const text of bombs) t.throws(() => parseJsonTree(text), { message: /^nested too deep at byte \d+$/ });
});

t.test("an error shows nothing of the text", async (t) => {
  t.throws(() => parseJsonTree('{"verify_token":"secret" x}'), {
    name: "UnreadableReply",
    message: "not JSON at byte 25",
  });
});
