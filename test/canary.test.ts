import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import t, { type Test } from "tap";
import { loadConfig } from "../src/config/config.ts";
import { CozeToken } from "../src/coze/token/token.ts";
import { operations } from "../src/operations/registry.ts";
import type { Fault } from "../src/sandbox/fault.ts";
import { Secret } from "../src/secret.ts";
import { startGateway, startSandbox } from "./helpers/gateway.ts";
import { head } from "./http/helper.ts";
import { exchange, until } from "./http/wire.ts";
import { appId, sampleOf } from "./operations/helper.ts";

/** Has characters whose URL-encoded and JSON-escaped forms differ from themselves. */
const cozeToken = 'sat_CANARY/+="\\&%<kXv92LmQz7RtB4yWc8NdH3';
const verifyToken = "VERIFYCANARYq7Zp2Xw9Lk4Rt8Yb3Nc6Md1Hs5Jf0Gv7";

/** Every way in which a secret could show: as it is, escaped, and in base64 at each alignment. */
function formsOf(secret: string): string[] {
  const escaped = [...secret]
    .map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
  const base64 = [0, 1, 2].flatMap((offset) =>
    (["base64", "base64url"] as const).map((alphabet) =>
      Buffer.from("x".repeat(offset) + secret)
        .toString(alphabet)
        .slice(4, -4),
    ),
  );
  // A third of it is bad enough.
  const parts = [secret.slice(4, 20), secret.slice(-16)];
  return [...parts, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), escaped, ...base64];
}

/** The forms of the secrets that the text shows; none is what is wanted. */
function shown(text: string, ...secrets: readonly string[]): string[] {
  const plain = text.toLowerCase();
  return secrets.flatMap(formsOf).filter((form) => text.includes(form) || plain.includes(form.toLowerCase()));
}

async function start(t: Test) {
  const coze = await startSandbox(t, new Map([[cozeToken, "all" as const]]));
  const tokenFile = join(t.testdir({ token: cozeToken }), "token");
  const gateway = await startGateway(t, coze.url, { COZE_TOKEN_FILE: tokenFile, MAX_ATTEMPTS: "2" });
  const metrics = async () => (await gateway.gateway.admin.inject("/metrics")).body;
  return { ...gateway, sandbox: coze.sandbox, tokenFile, metrics };
}

/** Replies with which a careless or hostile Coze would give the token away. */
function faultsWith(token: string): Fault[] {
  const forms = [
    token,
    `a ${token} b`,
    `Bearer ${token}`,
    encodeURIComponent(token),
    ...["", "x", "xx"].map((before) => Buffer.from(before + token).toString("base64")),
    ...["", "x", "xx"].map((before) => Buffer.from(before + token).toString("base64url")),
  ];
  const escaped = [...token].map((each) => `\\u00${each.charCodeAt(0).toString(16)}`).join("");
  const json = JSON.stringify(token);
  return [
    ...forms.map((msg) => ({ code: 4000, msg })),
    ...forms.slice(0, 3).map((body) => ({ status: 502, body })),
    { code: 4101, msg: token },
    { code: 4200, msg: token, status: 200 },
    { code: 31337, msg: token },
    { code: 5000, msg: token },
    { body: `{"code":4000,"msg":"${escaped}"}` },
    { body: `{"code":4000,"msg":"${escaped.toUpperCase().replaceAll("\\U", "\\u")}"}` },
    { body: `{"code":4000,"msg":"","detail":{"logid":${json}},"error":{"logid":${json}}}` },
    { body: `{"code":0,"msg":${json}}` },
    { body: `{"code":${json}}` },
    { body: `<html><body>${token}</body></html>`, content_type: "text/html", status: 503 },
    { body: token },
    { code: 4000, msg: "no", headers: { "x-tt-logid": token } },
    { code: 4000, msg: "no", headers: { "x-tt-logid": Buffer.from(token).toString("base64url") } },
    { status: 503, headers: { "retry-after": token } },
    { code: 4000, msg: "no", content_type: token },
    { code: 4000, msg: "no", headers: { "content-encoding": token } },
    { status: 302, headers: { location: `https://x.example/${encodeURIComponent(token)}` } },
    { code: 4000, msg: "no", headers: { "set-cookie": ["a=b", `t=${encodeURIComponent(token)}`] } },
    { raw: `HTTP/1.1 200 OK\r\nX: ${token}\r\nbroken` },
    { raw: `${token}\r\n\r\n` },
  ];
}

const verifyFaults: readonly Fault[] = [
  { body: `{"code":0,"data":{"verify_token":"${verifyToken}"}}`, truncate: 60 },
  { body: `{"code":0,"data":{"verify_token":"${verifyToken}"}` },
  { body: `{"code":0,"data":{"verify_token":"${verifyToken}"}}`, status: 500 },
  { body: `{"code":4000,"msg":"no","data":{"verify_token":"${verifyToken}"}}` },
  { body: `{"code":"0","data":{"verify_token":"${verifyToken}"}}` },
];

for (const operation of operations) {
  t.test(`${operation.id}: no reply of Coze gives token or verify token away`, async (t) => {
    const { call, sandbox, text, metrics, key } = await start(t);
    const { path, body } = sampleOf(operation);
    for (const fault of [...faultsWith(cozeToken), ...verifyFaults]) {
      sandbox.faults.clear();
      sandbox.faults.add({ ...fault, times: 2 });
      const before = text().length;
      const reply = await call(operation.method, path, body);
      const what = JSON.stringify(fault).slice(0, 60).replaceAll("\\", "");
      t.ok(reply.status >= 400, `${reply.status} ${what}`);
      const all = reply.text + JSON.stringify([...reply.headers]);
      t.same(shown(all, cozeToken, verifyToken, key), [], what);
      t.same(shown(text().slice(before), cozeToken, verifyToken, key), [], `log of ${what}`);
    }
    t.ok(sandbox.calls.length >= 38);
    t.same(shown(await metrics(), cozeToken, verifyToken, key), []);
  });
}

t.test("a verify token is in the success of create and list, and nowhere else", async (t) => {
  const { call, sandbox, text, metrics } = await start(t);
  const created = await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  const [app] = sandbox.state.apps.values();
  const secret = app?.verifyToken ?? "";
  t.equal(created.body.data.verify_token, secret);
  const path = `/v1/api_apps/${app?.id}`;
  const others = [
    await call("PUT", path, { name: "two" }),
    await call("POST", `${path}/events`, { event_types: ["bot.published"] }),
    await call("GET", `${path}/events`),
    await call("DELETE", `${path}/events`, { event_types: ["bot.published"] }),
  ];
  t.equal((await call("GET", "/v1/api_apps")).body.data.items[0]?.["verify_token"], secret);
  others.push(await call("DELETE", path));
  for (const { status, text: body } of others) {
    t.equal(status, 200);
    t.same(shown(body, secret), []);
  }
  t.same(shown(text() + (await metrics()), secret, cozeToken), []);
});

t.test("a caller key put in a wrong place shows nowhere", async (t) => {
  const { port, key, sandbox, text, metrics } = await start(t);
  const json = (method: string, path: string, body: string) =>
    head(key, `${method} ${path}`, "Content-Type: application/json", `Content-Length: ${body.length}`) + body;
  const bare = (line: string, ...headers: readonly string[]) =>
    `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.map((each) => `${each}\r\n`).join("")}\r\n`;
  const requests: Readonly<Record<string, string>> = {
    "request id": head(key, "GET /nowhere", `X-Request-Id: ${key}`),
    "inside a request id": head(key, "GET /nowhere", `X-Request-Id: trace-a_${key}`),
    "app id": head(key, `DELETE /v1/api_apps/${key}`),
    "part of a bad app id": head(key, `DELETE /v1/api_apps/${key}.${key}`),
    "event type": json("POST", `/v1/api_apps/${appId}/events`, JSON.stringify({ event_types: [key] })),
    "bad event type": json(
      "POST",
      `/v1/api_apps/${appId}/events`,
      JSON.stringify({ event_types: [`${key} `] }),
    ),
    "field name": json("PUT", `/v1/api_apps/${appId}`, JSON.stringify({ [key]: 1, [`x${key}`]: 2 })),
    "app type": json("POST", "/v1/api_apps", JSON.stringify({ app_type: key })),
    "page token": head(key, `GET /v1/api_apps?page_token=${key}`),
    "page size": head(key, `GET /v1/api_apps?page_size=${key}`),
    parameter: head(key, `GET /v1/api_apps?${key}=1&a${key}=2`),
    path: head(key, `GET /${key}`),
    "known path": head(key, `PATCH /v1/api_apps/${key}`),
    "broken path": head(key, `GET /${key}/%zz`),
    "absolute target": head(key, `GET http://${key}@x/v1/api_apps`),
    "basic auth": bare(
      "GET /v1/api_apps",
      `Authorization: Basic ${Buffer.from(`a:${key}`).toString("base64")}`,
    ),
    "no scheme": bare("GET /v1/api_apps", `Authorization: ${key}`),
    "wrong key": bare("GET /v1/api_apps", `Authorization: Bearer ${key.slice(0, -1)}`),
    "other headers": head(
      key,
      "GET /v1/api_apps",
      `Cookie: ${key}`,
      `Accept-Language: ${key}`,
      `Referer: ${key}`,
    ),
    "time-out": head(key, "GET /v1/api_apps", `X-Gateway-Timeout-Ms: ${key}`),
    "content type": `${head(key, "POST /v1/api_apps", `Content-Type: ${key}`, "Content-Length: 2")}{}`,
    "bad JSON": json("POST", "/v1/api_apps", `{"${key}`),
    malformed: `${key}\r\n\r\n`,
    "malformed header": head(key, "GET /v1/api_apps", key),
    method: head(key, `${key} /v1/api_apps`),
    "too long": head(key, `GET /v1/api_apps?page_token=${key.repeat(100)}`),
    "too large": head(key, "GET /v1/api_apps", `X: ${key.repeat(400)}`),
  };
  for (const [place, bytes] of Object.entries(requests)) {
    const before = text().length;
    const reply = await exchange(port, bytes);
    t.ok(reply.status >= 400 || place === "other headers", `${place}: ${reply.status}`);
    t.same(shown(reply.bytes, key, cozeToken), [], place);
    t.same(shown(text().slice(before), key, cozeToken), [], `log of ${place}`);
  }
  t.same(shown(await metrics(), key), []);
  const coze = JSON.stringify(sandbox.calls.flatMap(({ headers }) => headers));
  t.same(shown(coze, key), [], "and no header carries it to Coze");
});

t.test("a token or callers file that cannot be used is told without its content", async (t) => {
  const { tokenFile, folder, key, lines, text, url, call } = await start(t);
  const broken = [`${cozeToken}\n${cozeToken}`, `${cozeToken} x`, cozeToken.repeat(300)];
  const told = (event: string) => lines().filter((line) => line["event"] === event).length;
  for (const [index, content] of broken.entries()) {
    await writeFile(tokenFile, content);
    await until(() => told("token_file_unusable") > index);
  }
  const good = await readFile(join(folder, "callers.yaml"), "utf8");
  const entry = `callers:\n  - id: a\n    keys:\n      - sha256: ${key}\n`;
  for (const [index, content] of [entry, `${key}: [`, `${good}\n  - ${key}`].entries()) {
    await writeFile(join(folder, "callers.yaml"), content);
    await until(() => told("callers_file_unusable") > index);
  }
  t.same(shown(text(), cozeToken, key), []);
  t.equal((await fetch(`${url}/readyz`)).status, 200, "the last good ones stay in force");
  t.equal((await call("GET", "/v1/api_apps")).status, 200);
});

t.test("an old token is still kept out after the change to a new one", async (t) => {
  const { tokenFile, lines, sandbox, call, text } = await start(t);
  await writeFile(tokenFile, "sat_THENEXTTOKEN0123456789");
  await until(() => lines().filter(({ event }) => event === "token_loaded").length === 2);
  sandbox.faults.add({ code: 4000, msg: cozeToken, times: 2 });
  const { status, text: body } = await call("GET", "/v1/api_apps");
  t.equal(status, 502);
  t.same(shown(body + text(), cozeToken), []);
});

t.test("printing the program's own objects shows no secret", async (t) => {
  const { gateway, key, call, sandbox } = await start(t);
  await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  const secret = [...sandbox.state.apps.values()][0]?.verifyToken ?? "";
  t.same(shown(inspect(gateway, { depth: null, showHidden: true }), cozeToken, key, secret), []);
  const config = loadConfig({ COZE_TOKEN: cozeToken, CALLERS_FILE: "x" });
  const token = await CozeToken.open({ value: new Secret(cozeToken) });
  for (const [name, thing] of Object.entries({ config, token, secret: new Secret(cozeToken) })) {
    for (const printed of [
      inspect(thing, { depth: null, showHidden: true }),
      JSON.stringify(thing),
      `${thing}`,
    ]) {
      t.same(shown(printed, cozeToken), [], name);
      t.ok(printed.length > 5);
    }
  }
});

t.test("a configuration error names variables, not values", async (t) => {
  const url = `https://${encodeURIComponent(cozeToken)}@x`;
  const errors = await Promise.all([
    Promise.resolve()
      .then(() => loadConfig({ COZE_TOKEN: cozeToken, COZE_BASE_URL: url, PORT: cozeToken }))
      .catch((error: unknown) => error),
    CozeToken.open({ value: new Secret(`${cozeToken} x`) }).catch((error: unknown) => error),
  ]);
  for (const error of errors) {
    t.ok(error instanceof Error);
    t.same(shown(inspect(error, { depth: null, showHidden: true }), cozeToken), []);
  }
});

t.test("the search itself finds a secret in every form", async (t) => {
  const base64 = ["", "x", "xx"].map((before) => Buffer.from(`${before}${cozeToken}, and more`));
  for (const text of [
    cozeToken,
    cozeToken.toUpperCase(),
    `a${cozeToken.slice(4)}`,
    JSON.stringify({ cozeToken }),
    encodeURIComponent(cozeToken),
    ...base64.flatMap((bytes) => [bytes.toString("base64"), bytes.toString("base64url")]),
    [...cozeToken].map((each) => `\\u00${each.charCodeAt(0).toString(16)}`).join(""),
  ]) {
    t.not(shown(`a ${text} b`, cozeToken).length, 0, text.slice(0, 8));
  }
  t.same(shown("nothing of it", cozeToken), []);
});
