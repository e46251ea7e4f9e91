import { once } from "node:events";
import t, { type Test } from "tap";
import { StoreError } from "../../../src/audit/store.ts";
import { GatewayError } from "../../../src/errors.ts";
import {
  askExport,
  type Item,
  type ListData,
  openStore,
  auditPath as path,
  serveAudit,
  settled,
  watched,
} from "./app.ts";

const asLines = { accept: "application/x-ndjson" };

const dataOf = async (reply: Response) => ((await reply.json()) as { data: ListData & Item }).data;

interface Failure {
  readonly msg: string;
  readonly gateway: {
    readonly error: string;
    readonly issues: readonly { readonly path: string; readonly message: string }[];
  };
}
const failureOf = async (reply: Response) => (await reply.json()) as Failure;

/** A trail with a change and its outcome, served. */
async function small(t: Test, onRead?: Parameters<typeof serveAudit>[2]) {
  const opened = await openStore(t, (trail) => {
    const opened = trail.next({ kind: "opened" });
    const attempt = trail.attempt("r1");
    return [opened, attempt, trail.outcome(attempt)];
  });
  const { reader, seen } = watched(opened.store);
  return { ...opened, seen, ...(await serveAudit(t, reader, onRead)) };
}

t.test("who may not read the trail reads nothing of it", async (t) => {
  const { get, keys, seen, reads } = await small(t);
  for (const target of [path, `${path}/a.1:1`, `${path}?caller=%0d%0a`]) {
    for (const accept of ["application/json", "application/x-ndjson"]) {
      t.equal((await get(target, { accept, authorization: "Bearer nobody" })).status, 401);
      const billing = await get(target, { accept }, keys.billing);
      t.equal(billing.status, 403);
      t.match((await failureOf(billing)).msg, "does not hold the permission readAudit");
      const partial = await get(target, { accept }, keys.partial);
      t.equal(partial.status, 403);
      t.match((await failureOf(partial)).msg, "needs it on all");
    }
  }
  t.equal(seen.calls, 0);
  t.strictSame(reads, []);
});

t.test("a list comes in Coze's envelope, and is recorded", async (t) => {
  const { get, reads } = await small(t);
  const reply = await get(`${path}?api_app_id=7300000000000000001&page_size=1&from=2027-03-10`);
  t.equal(reply.status, 200);
  t.equal(reply.headers.get("content-type"), "application/json; charset=utf-8");
  t.equal(reply.headers.get("vary"), "Accept");
  t.equal(reply.headers.get("cache-control"), "no-store");
  t.match(await reply.json(), {
    code: 0,
    msg: "",
    data: {
      items: [{ id: "a.1:3", intact: true, record: { outcome: "done", attempts: [{ logid: "log2" }] } }],
      has_more: true,
      next_page_token: /^[\w-]+$/,
    },
    detail: { logid: "" },
  });
  t.strictSame(reads, [{ fields: ["api_app_id", "page_size", "from"], api_app_id: "7300000000000000001" }]);
});

t.test("a page leads to the next one", async (t) => {
  const { get } = await small(t);
  const ids: string[] = [];
  let token: string | undefined = "";
  while (token !== undefined) {
    const data: ListData = await dataOf(await get(`${path}?page_size=1&page_token=${token}`));
    ids.push(...data.items.map(({ id }) => id));
    token = data.next_page_token;
  }
  t.strictSame(ids, ["a.1:3", "a.1:2", "a.1:1"]);
});

t.test("an export comes line by line, and is recorded", async (t) => {
  const { get, reads } = await small(t);
  const reply = await get(`${path}?request_id=r1&order=oldest_first`, asLines);
  t.equal(reply.status, 200);
  t.match(reply.headers.get("content-type"), /^application\/x-ndjson/);
  t.equal(reply.headers.get("vary"), "Accept");
  const lines = (await reply.text()).split("\n");
  t.equal(lines.pop(), "");
  t.match(
    lines.map((line) => JSON.parse(line)),
    [
      { id: "a.1:2", record: { kind: "attempt" } },
      { id: "a.1:3", record: { kind: "outcome" } },
    ],
  );
  t.strictSame(reads, [{ fields: ["request_id", "order"], api_app_id: undefined }]);
  const nothing = await get(`${path}?request_id=none`, asLines);
  t.equal(nothing.status, 200);
  t.equal(await nothing.text(), "");
  t.equal(reads.length, 2);
});

t.test("an export has no pages", async (t) => {
  const { get, reads, seen } = await small(t);
  const reply = await get(`${path}?page_size=1&page_token=x&order=newest_first`, asLines);
  t.equal(reply.status, 400);
  const { gateway } = await failureOf(reply);
  t.strictSame(gateway.issues.map((issue) => issue.path).sort(), [
    "query.order",
    "query.page_size",
    "query.page_token",
  ]);
  t.strictSame(reads, []);
  t.equal(seen.calls, 0);
});

t.test("one record, and that it was read", async (t) => {
  const { get, reads } = await small(t);
  for (const id of ["a.1:2", "a.1%3A2"]) {
    const reply = await get(`${path}/${id}`);
    t.equal(reply.status, 200);
    t.match(await reply.json(), {
      code: 0,
      data: { id: "a.1:2", intact: true, record: { kind: "attempt" }, related: ["a.1:3"] },
      detail: { logid: "" },
    });
  }
  t.strictSame(reads, [{ fields: [] }, { fields: [] }]);
});

t.test("a record that is not there, and an id that is none", async (t) => {
  const { get, reads, refusals } = await small(t);
  const unknown = await get(`${path}/a.1:4`);
  t.equal(unknown.status, 404);
  t.match(await unknown.json(), {
    code: 404001,
    msg: "The audit trail has no record of this id.",
    gateway: { error: "not_found" },
  });
  for (const id of [
    "a.1",
    "a.1:0",
    "a.1:1%0d%0aX:1",
    "%1b[31m:1",
    "%e2%80%ae:1",
    "..%2f..%2fetc:1",
    "x".repeat(3000),
  ]) {
    const reply = await get(`${path}/${id}`);
    t.equal(reply.status, 400, id.slice(0, 40));
    t.strictSame(
      (await failureOf(reply)).gateway.issues.map((issue) => issue.path),
      ["params.id"],
    );
  }
  const unasked = await get(`${path}/a.1:1?related=no`);
  t.strictSame((await failureOf(unasked)).gateway.issues, [
    { path: "query.related", message: "is not a field of this operation" },
  ]);
  t.strictSame(reads, [], "a refusal is recorded as one, not as a read");
  t.match(refusals[0], {
    operation: "get_audit_event",
    permission: "readAudit",
    status: 404,
    error: "not_found",
  });
  t.equal(refusals.length, 9);
});

t.test("no parameter takes anything but what its kind of value looks like", async (t) => {
  const { get, seen, reads, text } = await small(t);
  const canary = "CANARY";
  const hostile = [
    "",
    " ",
    `${canary}\r\nx: y`,
    `${canary}\n`,
    `\u001b[31m${canary}`,
    `${canary}\u2028`,
    `\u202e${canary}`,
    `"${canary}`,
    `'${canary}' OR 1=1 --`,
    `${canary}\0`,
    `${canary}%`,
    `{"${canary}":1}`,
    "\uff11",
    canary.repeat(400),
  ];
  const names = ["from", "to", "caller", "operation", "api_app_id", "outcome", "kind", "logid", "request_id"];
  for (const name of [...names, "order", "page_size", "page_token"]) {
    for (const value of hostile) {
      if (name === "page_token" && value === "") continue;
      const reply = await get(`${path}?${name}=${encodeURIComponent(value)}`);
      const { gateway } = await failureOf(reply);
      const what = `${name} ${encodeURI(value).slice(0, 40)}`;
      t.equal(reply.status, 400, what);
      t.strictSame(
        [gateway.error, gateway.issues.map((issue) => issue.path)],
        ["invalid_request", [`query.${name}`]],
        what,
      );
      t.notMatch(JSON.stringify(gateway), canary, what);
    }
    const twice = await failureOf(await get(`${path}?${name}=a&${name}=b`));
    t.strictSame(
      twice.gateway.issues.map((issue) => issue.path).slice(0, 1),
      [`query.${name}`],
      `${name} twice`,
    );
    const long = await get(`${path}?${name}=${canary.repeat(1700)}`);
    t.equal((await failureOf(long)).gateway.error, "uri_too_long", name);
  }
  for (const size of [
    "0",
    "101",
    "-1",
    "1.5",
    "NaN",
    "1e9",
    "1e999",
    "Infinity",
    "-Infinity",
    "9".repeat(400),
  ]) {
    t.equal((await get(`${path}?page_size=${size}`)).status, 400, size.slice(0, 20));
  }
  t.equal(seen.calls, 0, "nothing of it came near the store");
  t.strictSame(reads, []);
  t.notMatch(text(), canary, "nor into the log");
});

t.test("parameters that do not exist are refused by name", async (t) => {
  const { get, seen } = await small(t);
  for (const name of ["__proto__", "constructor", "toString", "limit", "CALLER", "caller[]", "caller.x"]) {
    const reply = await get(`${path}?${encodeURIComponent(name)}=1`);
    t.equal(reply.status, 400, name);
    const { gateway } = await failureOf(reply);
    t.strictSame(gateway.issues, [{ path: `query.${name}`, message: "is not a field of this operation" }]);
  }
  t.equal(seen.calls, 0);
});

t.test("nothing is answered of a read that cannot be recorded", async (t) => {
  const { get, reads } = await small(t, () => {
    throw new GatewayError("audit_unavailable");
  });
  for (const [target, headers] of [
    [path, {}],
    [path, asLines],
    [`${path}/a.1:2`, {}],
  ] as const) {
    const reply = await get(target, headers);
    t.equal(reply.status, 503);
    t.equal(reply.headers.get("content-type"), "application/json; charset=utf-8");
    const text = await reply.text();
    t.match(JSON.parse(text), { gateway: { error: "audit_unavailable" } });
    t.notMatch(text, /a\.1|r1|billing/);
  }
  t.strictSame(reads, []);
});

t.test("nothing is sent of an export before it is recorded", async (t) => {
  const { promise: recorded, resolve: record } = Promise.withResolvers<void>();
  const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>();
  const { port, keys, store } = await small(t, async () => {
    isAsked();
    await recorded;
  });
  const socket = askExport(port, keys.auditor);
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk;
  });
  await asked;
  await settled(() => received.length, store);
  t.equal(received, "");
  record();
  await once(socket, "close");
  t.match(received, /^HTTP\/1\.1 200/);
});

t.test("a store that cannot be read: 503, and its own words in the log only", async (t) => {
  const { store } = await openStore(t, (trail) => trail.rows(3));
  const words = "unable to open /var/lib/secret-place";
  const { reader } = watched(store, () => {
    throw new StoreError(words, { permanent: true });
  });
  const { get, lines, reads } = await serveAudit(t, reader);
  for (const [target, headers] of [
    [path, {}],
    [path, asLines],
    [`${path}/a.1:1`, {}],
  ] as const) {
    const reply = await get(target, headers);
    t.equal(reply.status, 503);
    t.match(reply.headers.get("retry-after"), /^\d+$/);
    const text = await reply.text();
    t.match(JSON.parse(text), {
      msg: "The audit store cannot be read now; repeat later.",
      gateway: { error: "audit_unavailable" },
    });
    t.notMatch(text, "secret-place");
    t.match(lines().at(-1), { event: "audit_unreadable", request_id: reply.headers.get("x-request-id") });
    t.match(JSON.stringify(lines().at(-1)), words);
  }
  t.strictSame(reads, []);
});
