import t from "tap";
import type { Draft } from "../../../src/audit/record.ts";
import { GatewayError } from "../../../src/errors.ts";
import { pageOf } from "../../../src/http/audit/page.ts";
import type { AuditQuery } from "../../../src/http/audit/query.ts";
import type { AuditReader } from "../../../src/http/audit/reader.ts";
import { start } from "../../audit/rows.ts";
import { type ListData, openStore, tamper } from "./app.ts";

async function list(store: AuditReader, query: AuditQuery): Promise<ListData> {
  return JSON.parse(await pageOf(store, query));
}

const seqsOf = ({ items }: ListData) => items.map(({ record }) => record?.["seq"]);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

t.test("every filter finds what it names and nothing else", async (t) => {
  const logged = (logid: string) => [{ attempt: 1, class: "ok", logid, ms: 1 }];
  const drafts: Partial<Draft>[] = [
    { kind: "opened" },
    { kind: "attempt", request_id: "r1", caller: "billing", operation: "delete_api_app", api_app_id: "app1" },
    { kind: "outcome", request_id: "r1", caller: "billing", operation: "delete_api_app", api_app_id: "app1" },
    { kind: "refused", request_id: "r2", caller: "shop", operation: "update_api_app", api_app_id: "app2" },
    { kind: "outcome", request_id: "r3", caller: "shop", outcome: "unknown", attempts: logged("log-1") },
    { kind: "outcome", request_id: "r4", caller: "shop", outcome: "done", attempts: logged("log-2") },
  ];
  const { store } = await openStore(t, (trail) => drafts.map((draft) => trail.next(draft)));
  const at = (seq: number) => new Date(start + (seq - 1) * 1000).toISOString();
  const expected: readonly (readonly [AuditQuery, readonly number[]])[] = [
    [{}, [6, 5, 4, 3, 2, 1]],
    [{ order: "oldest_first" }, [1, 2, 3, 4, 5, 6]],
    [{ kind: "outcome" }, [6, 5, 3]],
    [{ request_id: "r1" }, [3, 2]],
    [{ caller: "shop" }, [6, 5, 4]],
    [{ operation: "update_api_app" }, [4]],
    [{ api_app_id: "app1" }, [3, 2]],
    [{ outcome: "unknown" }, [5]],
    [{ logid: "log-2" }, [6]],
    [{ logid: "log-" }, []],
    [{ from: at(5) }, [6, 5]],
    [{ to: at(3) }, [2, 1]],
    [{ from: at(3), to: at(5), order: "oldest_first" }, [3, 4]],
    [{ from: at(3).replace("Z", "+00:00"), to: at(5) }, [4, 3]],
    [{ from: "2027-03-11" }, []],
    [{ to: "2027-03-11", caller: "billing", kind: "attempt" }, [2]],
    [{ caller: "billing", outcome: "unknown" }, []],
  ];
  for (const [query, seqs] of expected)
    t.strictSame(seqsOf(await list(store, query)), seqs, JSON.stringify(query));
});

t.test("an item is the stored text with its hash", async (t) => {
  const { store, trail } = await openStore(t, (trail) => [trail.attempt("r1")]);
  const text = await pageOf(store, {});
  const { items } = JSON.parse(text) as ListData;
  t.match(items, [{ id: "a.1:1", hash: trail.head?.hash, intact: true, record: { request_id: "r1" } }]);
  const [row] = await store.find({}, { order: "newest_first", limit: 1 });
  t.ok(row && text.includes(`"record":${row.text}}`), "byte for byte");
});

t.test("a record that was edited says so, also one that is no JSON any more", async (t) => {
  const { store, file } = await openStore(t, (trail) => trail.rows(3));
  tamper(
    file,
    `UPDATE audit_record SET text = replace(text, 'alive', 'ALIVE') WHERE seq = 2;
     UPDATE audit_record SET text = '{"forged":1}]},' || char(8232) || '{"code":0' WHERE seq = 3`,
  );
  const text = await pageOf(store, {});
  t.match(JSON.parse(text), {
    items: [
      { id: "a.1:3", intact: false, record: null, text: '{"forged":1}]},\u2028{"code":0' },
      { id: "a.1:2", intact: false, record: { kind: "ALIVE" } },
      { id: "a.1:1", intact: true },
    ],
    has_more: false,
  });
  t.match(text, /^[ -~]*$/, "nothing but printable ASCII");
});

t.test("newest first: while records are written, pages repeat nothing and leave nothing out", async (t) => {
  const { store, trail, append } = await openStore(t, (trail) => trail.rows(30));
  const seqs: unknown[] = [];
  let token: string | undefined;
  do {
    const [page] = await Promise.all([
      list(store, { page_size: 7, ...(token !== undefined && { page_token: token }) }),
      seqs.length > 0 && append(trail.rows(5)),
    ]);
    seqs.push(...seqsOf(page));
    t.equal(page.has_more, page.next_page_token !== undefined);
    token = page.next_page_token;
  } while (token !== undefined);
  t.strictSame(seqs, upTo(30).reverse());
});

t.test(
  "oldest first: who follows the tokens gets every record once, however late it is written",
  async (t) => {
    const { store, trail, append } = await openStore(t);
    const seqs: unknown[] = [];
    let token = "";
    let writes = 0;
    let more = false;
    do {
      const writing = writes < 12 ? append(trail.rows(4)) : undefined;
      writes += 1;
      const page = await list(store, { order: "oldest_first", page_size: 3, page_token: token });
      await writing;
      seqs.push(...seqsOf(page));
      more = page.has_more;
      t.ok(page.next_page_token, "there is always a token");
      token = page.next_page_token ?? "";
    } while (more || writes < 12);
    t.strictSame(seqs, upTo(48));
    const late = await list(store, { order: "oldest_first", page_token: token });
    t.match(late, { items: [], has_more: false, next_page_token: token });
    await append(trail.rows(1));
    t.strictSame(seqsOf(await list(store, { order: "oldest_first", page_token: token })), [49]);
  },
);

t.test("the last page is told from one that is merely full", async (t) => {
  const { store } = await openStore(t, (trail) => trail.rows(100));
  t.match(await list(store, { page_size: 99 }), { has_more: true, next_page_token: String });
  const full = await list(store, { page_size: 100 });
  t.equal(full.items.length, 100);
  t.equal(full.has_more, false);
  t.notOk("next_page_token" in full);
  t.equal((await list(store, {})).items.length, 50);
});

t.test("an empty store", async (t) => {
  const { store } = await openStore(t);
  t.strictSame(await list(store, {}), { items: [], has_more: false });
  t.match(await list(store, { order: "oldest_first" }), { items: [], next_page_token: /./ });
});

t.test("a token holds in its own list only", async (t) => {
  const { store } = await openStore(t, (trail) => trail.rows(5, { caller: "billing" }));
  const own = { caller: "billing", from: "2027-03-10T12:00:00Z", page_size: 2 } as const;
  const { next_page_token: token = "" } = await list(store, own);
  t.strictSame(seqsOf(await list(store, { ...own, page_token: token })), [3, 2]);
  const same = { ...own, from: "2027-03-10T20:00:00.000+08:00", page_size: 1, page_token: token };
  t.strictSame(
    seqsOf(await list(store, same)),
    [3],
    "another spelling and another page size are no other list",
  );
  for (const other of [
    { ...own, caller: "shop" },
    { ...own, from: "2027-03-10T12:00:00.001Z" },
    { ...own, order: "oldest_first" },
    { ...own, outcome: "done" },
    { page_size: 2 },
  ] as const) {
    const refused = await pageOf(store, { ...other, page_token: token }).catch((error) => error);
    t.ok(refused instanceof GatewayError, JSON.stringify(other));
    t.match(refused, { error: "invalid_request", details: { issues: [{ path: "query.page_token" }] } });
  }
});
