import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { edited, removals } from "../../../src/http/reply/edits.ts";
import { parseJsonTree } from "../../../src/http/reply/json-tree.ts";

const body = Buffer.from("0123456789");
const edit = (start: number, end: number, text = "") => ({ start, end, bytes: Buffer.from(text) });

t.test("bytes outside the edits stay, and the body is not written to", async (t) => {
  const cases: [edits: ReturnType<typeof edit>[], result: string][] = [
    [[edit(2, 4, "ab")], "01ab456789"],
    [[edit(0, 10, "x")], "x"],
    [[edit(0, 0, "x"), edit(10, 10, "y")], "x0123456789y"],
    [[edit(8, 9), edit(1, 2, "long")], "0long234567" + "9"],
    [[edit(2, 4, "a"), edit(4, 6, "b")], "01ab6789"],
  ];
  for (const [edits, result] of cases) t.equal(edited(body, edits).toString(), result);
  t.equal(body.toString(), "0123456789");
  t.equal(edited(body, []), body, "none: the very same");
});

t.test("of two edits one inside the other the larger is made", async (t) => {
  const inside = [edit(2, 3, "x"), edit(7, 8, "x"), edit(4, 5, "x"), edit(2, 6, "x")];
  for (const each of inside) t.equal(edited(body, [each, edit(2, 8)]).toString(), "0189");
  for (const each of inside) t.equal(edited(body, [edit(2, 8), each]).toString(), "0189");
});

t.test("elements go with one comma each", async (t) => {
  const text = "[ 0 ,\n1,2\t, 3 ]";
  const cases: Record<string, string> = {
    "0123": text,
    "123": "[ 1,2\t, 3 ]",
    "012": "[ 0 ,\n1,2 ]",
    "03": "[ 0\t, 3 ]",
    "02": "[ 0,2 ]",
    "13": "[ 1\t, 3 ]",
    "2": "[ 2 ]",
    "": "[  ]",
  };
  const list = parseJsonTree(text);
  const elements = list.kind === "array" ? list.elements : [];
  t.equal(elements.length, 4);
  for (const [kept, expected] of Object.entries(cases)) {
    const edits = removals(elements, ({ start }) => kept.includes(text.charAt(start)));
    t.equal(edited(Buffer.from(text), edits).toString(), expected, kept);
  }
});

t.test("whatever goes, what stays is the array of the others", async () => {
  fc.assert(
    fc.property(fc.array(fc.boolean()), (staying) => {
      const text = JSON.stringify(staying.map((_, index) => index));
      const list = parseJsonTree(text);
      const elements = list.kind === "array" ? list.elements : [];
      const asked: number[] = [];
      const edits = removals(elements, ({ start, end }) => {
        const index = Number(text.slice(start, end));
        asked.push(index);
        return staying[index] === true;
      });
      assert.deepEqual(
        JSON.parse(edited(Buffer.from(text), edits).toString()),
        staying.flatMap((stays, index) => (stays ? [index] : [])),
      );
      assert.deepEqual(asked, [...staying.keys()], "each is asked about once");
    }),
  );
});
