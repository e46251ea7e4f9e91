import t from "tap";
import { hashOf } from "../../src/audit/chain.ts";
import { asciiOf, exportLine, exportRows } from "../../src/audit/export.ts";
import type { AuditFilter, Page, StoredRow } from "../../src/audit/store.ts";
import { stored } from "./listed.ts";
import { Trail } from "./rows.ts";

const [row] = stored([new Trail("a.1").attempt("r")]) as [StoredRow];

t.test("a line holds the text byte for byte, so that its hash can be checked", async (t) => {
  const line = exportLine(row);
  t.equal(line, `{"id":"a.1:1","hash":"${row.hash}","position":1,"intact":true,"record":${row.text}}`);
  t.equal(hashOf(line.slice(line.indexOf('"record":') + 9, -1)), row.hash);
  t.strictSame(JSON.parse(line).record, JSON.parse(row.text));
});

t.test("an edited record is shown as it is now, and not intact", async (t) => {
  const text = row.text.replace("billing", "mallory");
  t.match(JSON.parse(exportLine({ ...row, text })), { intact: false, record: { caller: "mallory" } });
});

t.test("a text that was never a record cannot break the line", async (t) => {
  for (const text of [
    "",
    "}",
    "{",
    "null",
    '{"a":1}\n{"id":"forged"}',
    '{"a":\n1}',
    '{"a":1},"intact":true',
    '{"a":1},"intact":{"b":2}',
    "{}}",
    '{"a":"\u2028\u202e"}',
    "\u001b[2J\u009b",
    "\ud800",
  ]) {
    const line = exportLine({ ...row, text });
    t.match(line, /^[ -~]+$/);
    t.strictSame(JSON.parse(line), {
      id: "a.1:1",
      hash: row.hash,
      position: 1,
      intact: false,
      record: null,
      text,
    });
  }
  const text = "not JSON";
  t.match(JSON.parse(exportLine({ ...row, text, hash: hashOf(text) })), { intact: true, record: null, text });
});

t.test("edited columns cannot break it either", async (t) => {
  const line = exportLine({ ...row, stream: 'a"\n', hash: '"\u2028' });
  t.match(line, /^[ -~]+$/);
  t.match(JSON.parse(line), { id: 'a"\n:1', hash: '"\u2028', intact: false });
});

t.test("asciiOf leaves printable ASCII alone and escapes the rest", async (t) => {
  t.equal(asciiOf(' az~\\"'), ' az~\\"');
  t.equal(asciiOf("\u0000\n\u007fé\u2028"), "\\u0000\\u000a\\u007f\\u00e9\\u2028");
});

/** A store that holds so many rows and remembers what it was asked. */
function holding(count: number) {
  const rows = stored(new Trail("a.1").rows(count));
  const asked: (AuditFilter & Page)[] = [];
  const find = async (filter: AuditFilter, page: Page) => {
    asked.push({ ...filter, ...page });
    const after = page.order === "oldest_first" ? (page.after ?? 0) : 0;
    return rows.filter(({ position }) => position > after).slice(0, page.limit);
  };
  return { rows, asked, find };
}

t.test("all rows that match, oldest first, page by page", async (t) => {
  for (const [count, pages] of [
    [0, 1],
    [499, 1],
    [500, 2],
    [1_200, 3],
  ] as const) {
    const store = holding(count);
    const found: StoredRow[] = [];
    for await (const row of exportRows(store, { caller: "billing" })) found.push(row);
    t.strictSame(found, store.rows);
    t.strictSame(
      store.asked,
      Array.from({ length: pages }, (_, page) => ({
        caller: "billing",
        order: "oldest_first",
        after: page === 0 ? undefined : page * 500,
        limit: 500,
      })),
    );
  }
});

t.test("no page is fetched before the one before it was taken", async (t) => {
  const store = holding(2_000);
  const rows = exportRows(store, {});
  for (let taken = 0; taken < 500; taken++) await rows.next();
  t.equal(store.asked.length, 1);
  await rows.next();
  t.equal(store.asked.length, 2);
  await rows.return(undefined);
});
