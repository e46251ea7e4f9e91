import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { parsePolicy } from "../../src/callers/policy.ts";
import { callersYaml, startGateway, type TestGateway, token } from "../helpers/gateway.ts";
import { bytes, startMisbehavingServer, wireReply } from "../helpers/misbehaving-server.ts";
import { head, start } from "../http/helper.ts";
import { exchange, until } from "../http/wire.ts";
import { appId } from "../operations/helper.ts";
import { inspect } from "./inspect.ts";

t.setTimeout(300_000);

const printable = /^[\x20-\x7e]*$/;

/** Each has a word by which it is found again wherever it went, and none begins with what is well-formed. */
const hostile: readonly string[] = [
  "<forged\r\nx-forged: 1",
  "<forged\nline",
  '<forged\n{"level":"info","event":"audit","stream":"<forged.1","seq":1}\n',
  '<forged","outcome":"done","x":"',
  "<forged'; DROP TABLE audit_record; --",
  "<forged\\",
  "<forged\\u000a\\n",
  "<forged%0d%0a",
  "\u001b[2J\u001b[31mforged",
  "\u009b31mforged",
  "<forged\u0000",
  "<forged\u007f\b\b\b",
  "<forged\u0085next",
  "<forged\u2028next",
  "<forged\u2029next",
  "\u202eforged\u2066\u2069",
  "\ufeffforged\u200b",
  "<forged\u{1d54f}\u{e0041}",
  "<forged {{7*7}} <script>",
  "../../forged/../x",
  " forged and more ",
  `<forged${"x".repeat(300)}`,
];

/** A text as a name of an assertion: TAP has lines as well, and some readers split them at any of these characters. */
const shown = (...parts: unknown[]) =>
  JSON.stringify(parts).replace(/[^\x20-\x7e]/g, (each) => `\\u${each.charCodeAt(0).toString(16)}`);

/** Text as the bytes that UTF-8 has for it, each byte as one character, as `exchange` sends them. */
const raw = (text: string) => Buffer.from(text).toString("latin1");

/** Where a caller can put text: the bytes of a whole request with it. */
const places: Readonly<Record<string, (key: string, text: string) => string>> = {
  "app id": (key, text) => head(key, `DELETE /v1/api_apps/${encodeURIComponent(text)}`),
  "app id, not encoded": (key, text) => head(key, `DELETE /v1/api_apps/${raw(text)}`),
  path: (key, text) => head(key, `GET /${encodeURIComponent(text)}`),
  method: (key, text) => head(key, `${raw(text)} /v1/api_apps`),
  "page token": (key, text) => head(key, `GET /v1/api_apps?page_token=${encodeURIComponent(text)}`),
  "page size": (key, text) => head(key, `GET /v1/api_apps?page_size=${encodeURIComponent(text)}`),
  parameter: (key, text) => head(key, `GET /v1/api_apps?${encodeURIComponent(text)}=1`),
  "request id": (key, text) => head(key, `DELETE /v1/api_apps/${appId}`, `X-Request-Id: ${raw(text)}`),
  "user agent": (key, text) => head(key, "GET /v1/api_apps", `User-Agent: ${raw(text)}`),
  language: (key, text) => head(key, "GET /v1/api_apps", `Accept-Language: ${raw(text)}`),
  "time-out": (key, text) => head(key, "GET /v1/api_apps", `X-Gateway-Timeout-Ms: ${raw(text)}`),
  "header name": (key, text) => head(key, "GET /v1/api_apps", `${raw(text)}: 1`),
  credential: (_, text) => head(raw(text), "GET /v1/api_apps"),
  "content type": (key, text) =>
    `${head(key, "POST /v1/api_apps", `Content-Type: ${raw(text)}`, "Content-Length: 2")}{}`,
  "event type": (key, text) => json(key, `POST /v1/api_apps/${appId}/events`, { event_types: [text] }),
  "field name": (key, text) => json(key, `PUT /v1/api_apps/${appId}`, { name: "x", [text]: 1 }),
  "name of an app": (key, text) => json(key, `PUT /v1/api_apps/${appId}`, { name: text }),
  "callback URL": (key, text) =>
    json(key, `PUT /v1/api_apps/${appId}`, { callback_url: `https://127.0.0.1:1/${text}` }),
  "app type": (key, text) => json(key, "POST /v1/api_apps", { app_type: text, name: "x" }),
  "search of the audit trail": (key, text) =>
    head(key, `GET /gateway/v1/audit/events?caller=${encodeURIComponent(text)}`),
  "id in the audit trail": (key, text) =>
    head(key, `GET /gateway/v1/audit/events/${encodeURIComponent(text)}`),
};

function json(key: string, line: string, value: unknown): string {
  const body = raw(JSON.stringify(value));
  return head(key, line, "Content-Type: application/json", `Content-Length: ${body.length}`) + body;
}

/** The log and the store of a gateway, as they must be whatever was sent. */
async function soundTrail(t: Test, { text, folder }: TestGateway) {
  const lines = text().split("\n").slice(0, -1);
  t.strictSame(
    lines.filter((line) => !printable.test(line) || !isObject(line)),
    [],
    "each line of the log is one object in printable ASCII",
  );
  const trail = await inspect(`sqlite:${join(folder, "audit.db")}`, lines);
  t.strictSame(trail.report.faults, []);
  t.equal(trail.report.unreadableLines, 0);
  t.equal(trail.report.anchors, trail.records.length, "the log has one line for each record, no more");
  const texts = trail.rows.flatMap((row) => Object.values(row).flat().map(String));
  t.strictSame(
    texts.filter((value) => !printable.test(value)),
    [],
    "each stored text is printable ASCII",
  );
  return { ...trail, lines };
}

function isObject(line: string): boolean {
  try {
    return Object.getPrototypeOf(JSON.parse(line)) === Object.prototype;
  } catch {
    return false;
  }
}

/** Every byte of the store's files. */
function bytesOf({ folder }: TestGateway): string {
  const names = readdirSync(folder).filter((name) => name.startsWith("audit.db"));
  return names.map((name) => readFileSync(join(folder, name), "latin1")).join("\n");
}

t.test("no text of a caller gets into a record or a log line, or makes one", async (t) => {
  const gateway = await start(t);
  for (const [place, request] of Object.entries(places)) {
    for (const text of hostile) {
      const { status, bytes } = await exchange(gateway.port, request(gateway.key, text));
      const [head = ""] = bytes.split("\r\n\r\n");
      t.not(status, 500, shown(place, text));
      t.match(head.replaceAll("\r\n", ""), printable, "the head of the reply");
      t.notMatch(head, /forged/i);
    }
  }
  const { lines, records } = await soundTrail(t, gateway);
  const show = (text: string) => /forged/i.test(text);
  t.strictSame(lines.filter(show), []);
  t.strictSame(
    records.filter((record) => show(JSON.stringify(record))),
    [],
  );
  t.notOk(show(bytesOf(gateway)), "not even in a byte that no record uses");
  const kinds = new Set(records.map(({ kind }) => kind));
  t.strictSame([...kinds].sort(), ["attempt", "opened", "outcome", "refused"]);
});

t.test("whatever Unicode has", async (t) => {
  const gateway = await start(t);
  const seed = process.env["SEED"] === undefined ? {} : { seed: Number(process.env["SEED"]) };
  const numRuns = process.env["LONG_TESTS"] === "1" ? 10_000 : 400;
  const unit = fc.constantFrom("binary", "grapheme", "binary-ascii");
  const text = unit.chain((unit) => fc.string({ unit, minLength: 1, maxLength: 60 }));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.keys(places)), text, async (place, text) => {
      const reply = await exchange(gateway.port, places[place]?.(gateway.key, text) ?? "");
      return reply.status !== 500 && reply.status !== 0;
    }),
    { numRuns, ...seed },
  );
  const { records } = await soundTrail(t, gateway);
  t.ok(records.length > numRuns / 4, `${records.length} records`);
});

t.test("no text of Coze gets into a record or a log line, or makes one", async (t) => {
  const coze = await startMisbehavingServer(t, () => undefined);
  const gateway = await startGateway(t, coze.url, { MAX_ATTEMPTS: "1" });
  const create = { app_type: "normal", name: "one" };
  for (const text of hostile) {
    // A line break would only end the header and begin another one.
    const header = text.replace(/[\r\n]+/g, " ");
    for (const code of [0, 4000, 4200, 5000, 31_337]) {
      const detail = { logid: text };
      const body = JSON.stringify({ code, msg: text, data: { id: text, name: text }, detail });
      const bodies = [
        wireReply(200, body, { "x-tt-logid": header }),
        wireReply(200, body, { "x-tt-logid": undefined }),
        wireReply(200, body, { "x-tt-logid": "good-1" }),
      ];
      for (const reply of bodies) {
        coze.answerWith(bytes(reply));
        const { headers, status } = await gateway.call("POST", "/v1/api_apps", create);
        t.not(status, 500);
        t.match(headers.get("x-tt-logid") ?? "", /^(good-1)?$/, shown(code, text));
      }
    }
  }
  const { lines, records } = await soundTrail(t, gateway);
  const show = (line: string) => /forged/i.test(line);
  t.strictSame(lines.filter(show), []);
  t.strictSame(
    records.filter((record) => show(JSON.stringify(record))),
    [],
  );
  t.notOk(show(bytesOf(gateway)));
  const requests = hostile.length * 5 * 3;
  for (const kind of ["attempt", "outcome"])
    t.equal(records.filter((record) => record.kind === kind).length, requests, `one ${kind} for each change`);
});

t.test("a callers file with a hostile id is refused, and its line in the log is one line", async (t) => {
  const gateway = await start(t);
  const good = { id: "good", key: gateway.key };
  const refused = () => gateway.lines().filter(({ event }) => event === "callers_file_unusable").length;
  const files = hostile.flatMap((text) => [
    callersYaml([{ ...good, id: text }]),
    callersYaml([{ ...good, grants: [{ permissions: [text], api_app_ids: "all" }] }]),
    callersYaml([{ ...good, grants: [{ permissions: ["listApiApp"], api_app_ids: [text] }] }]),
    callersYaml([good]).replace("callers:", `${JSON.stringify(text)}:`),
  ]);
  for (const file of files) t.throws(() => parsePolicy(file));
  // The file is looked at each second or two, so that only a few can be tried for real.
  for (const [index, file] of [files[5], files[53], files[61]].entries()) {
    await writeFile(join(gateway.folder, "callers.yaml"), String(file));
    await until(() => refused() > index);
  }
  t.equal((await gateway.call("GET", "/v1/api_apps")).status, 200, "the last good file stays in force");
  const { records } = await soundTrail(t, gateway);
  t.match(records.at(-1), { kind: "outcome", caller: "tester" });
});

t.test("no secret gets into a byte of the store or of the log", async (t) => {
  const gateway = await start(t);
  const secrets = {
    key: gateway.key,
    token,
    name: "NAMEq7Zp2Xw9Lk4Rt8Yb3Nc6Md1",
    query: "QUERYv92LmQz7RtB4yWc8NdH3",
    wrongKey: `cgw_tester_${"W".repeat(43)}`,
  };
  const callback = `${gateway.url}/callback?key=${secrets.query}`;
  const { body } = await gateway.call("POST", "/v1/api_apps", { app_type: "normal", name: secrets.name });
  const app = `/v1/api_apps/${body.data.id}`;
  const events = { event_types: ["bot.published"] };
  for (const [status, method, path, sent] of [
    [400, "PUT", app, { callback_url: callback }],
    [200, "PUT", app, { name: `${secrets.name}2` }],
    [200, "GET", "/v1/api_apps", undefined],
    [200, "POST", `${app}/events`, events],
    [200, "GET", `${app}/events`, undefined],
    [200, "DELETE", `${app}/events`, events],
    [400, "PUT", app, { verify_token: body.data.verify_token, [secrets.name]: 1 }],
    [400, "DELETE", `/v1/api_apps/${secrets.key}.`, undefined],
    [404, "DELETE", `/v1/api_apps/${secrets.key}`, undefined],
    [200, "POST", `${app}/events`, { event_types: [secrets.key, secrets.wrongKey] }],
    [200, "DELETE", app, undefined],
  ] as const) {
    const reply = await gateway.call(method, path, sent);
    t.equal(reply.status, status, `${method} ${path} ${reply.text}`);
  }
  const wrong = await gateway.call("GET", app, undefined, { authorization: `Bearer ${secrets.wrongKey}` });
  t.equal(wrong.status, 405, "there is no such operation");
  const denied = await gateway.call("DELETE", app, undefined, {
    authorization: `Bearer ${secrets.wrongKey}`,
  });
  t.equal(denied.status, 401);

  await soundTrail(t, gateway);
  const kept = bytesOf(gateway);
  t.match(kept, body.data.id, "the files that are searched are those that hold the records");
  for (const [name, secret] of Object.entries({ ...secrets, verifyToken: body.data.verify_token })) {
    for (const form of [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString("base64").slice(0, -4),
    ]) {
      t.notOk(kept.includes(form), `${name} in the store`);
      t.notOk(gateway.text().includes(form), `${name} in the log`);
    }
    t.notOk(kept.includes(secret.slice(4, 20)), `a part of ${name} in the store`);
  }
});
