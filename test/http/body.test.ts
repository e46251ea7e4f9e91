import t from "tap";
import { maxBodyBytes } from "../../src/http/body.ts";
import { appId, success } from "../operations/helper.ts";
import { head, post, start } from "./helper.ts";
import { exchange } from "./wire.ts";

const json = '{"app_type":"normal","name":"one"}';

/** A POST whose Content-Type lines stand as given. */
function typed(key: string, ...lines: readonly string[]): string {
  return head(key, "POST /v1/api_apps", `Content-Length: ${json.length}`, ...lines) + json;
}

t.test("content types that are JSON", async (t) => {
  const { port, key, sandbox } = await start(t);
  for (const type of [
    "application/json",
    "Application/JSON",
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    'application/json; charset="utf-8"',
    "application/json ; charset=utf-8",
    "application/json; x=1; charset=utf-8",
    "application/json;",
    "application/json;\tcharset=utf-8",
    " \tapplication/json\t ",
  ]) {
    sandbox.calls.length = 0;
    const { status, text } = await exchange(port, typed(key, `Content-Type: ${type}`));
    t.equal(status, 200, `${type}: ${text}`);
    t.equal(sandbox.calls[0]?.body, json, "validated and sent as JSON");
  }
});

t.test("content types that are not", async (t) => {
  const { port, key, sandbox } = await start(t);
  for (const lines of [
    [],
    ["Content-Type:"],
    ["Content-Type: text/plain"],
    ["Content-Type: application/x-www-form-urlencoded"],
    ["Content-Type: multipart/form-data; boundary=x"],
    ["Content-Type: application/json5"],
    ["Content-Type: application/jsonx; application/json"],
    ["Content-Type: text/plain; application/json"],
    ["Content-Type: application/vnd.api+json"],
    ["Content-Type: application/\tjson"],
    ["Content-Type: application/json\ta"],
    ["Content-Type: application/json, text/plain"],
    ["Content-Type: json"],
    ["Content-Type: */*"],
    ["Content-Type: application/json; charset=utf-16"],
    ['Content-Type: application/json; charset="UTF-16LE"'],
    ["Content-Type: application/json; charset=latin1"],
    ["Content-Type: application/json; charset="],
    ["Content-Type: text/plain", "Content-Type: application/json"],
  ]) {
    const { status, body, bytes } = await exchange(port, typed(key, ...lines));
    t.equal(status, 415, `${lines}: ${bytes}`);
    t.equal(body.gateway.error, "unsupported_media_type", String(lines));
  }
  t.same(sandbox.calls, []);
});

t.test("of two Content-Type headers the first counts, and the body passes only as what it is", async (t) => {
  const { port, key, sandbox } = await start(t);
  const bytes = typed(key, "Content-Type: application/json", "Content-Type: text/plain");
  t.equal((await exchange(port, bytes)).status, 200);
  t.equal(sandbox.calls.length, 1);
});

t.test("what is no JSON", async (t) => {
  const { port, key, sandbox, text } = await start(t);
  const notJson = "is not valid JSON";
  for (const [body, message] of [
    ["{", notJson],
    ["{'app_type':'normal'}", notJson],
    ['{"app_type":"normal",}', notJson],
    ["\xef\xbb", "is not valid UTF-8"],
    ['{"name":"\xff"}', "is not valid UTF-8"],
    ['{"name":"\xed\xa0\x80"}', "is not valid UTF-8"],
    ['{"name":"\xc0\xaf"}', "is not valid UTF-8"],
    ['{"__proto__":{"app_type":"normal"},"name":"canary"}', notJson],
    ['{"\\u005f_proto__":{}}', notJson],
    ['{"constructor":{"prototype":{"a":1}}}', notJson],
    ['{"a":{"b":[{"__proto__":null}]}}', notJson],
    ["[".repeat(5000), notJson],
    [`${"[".repeat(5000)}${"]".repeat(5000)}`, "must be a JSON object"],
    ["NaN", notJson],
    [" ", notJson],
  ] as const) {
    const reply = await exchange(port, post(key, body));
    t.equal(reply.status, 400, reply.bytes);
    t.same(reply.body.gateway.issues, [{ path: "body", message }], encodeURIComponent(body).slice(0, 40));
    t.notMatch(reply.bytes, "canary", "the body is not quoted");
  }
  t.same(sandbox.calls, []);
  t.notMatch(text(), "canary");
});

t.test("a repeated key: the last one counts, here and at Coze", async (t) => {
  const { port, key, sandbox } = await start(t);
  const body = '{"app_type":"connector","app_type":"normal","name":"one"}';
  t.equal((await exchange(port, post(key, body))).status, 200);
  t.equal(sandbox.calls[0]?.body, json);
});

t.test("a byte order mark is no obstacle", async (t) => {
  const { port, key, sandbox } = await start(t);
  const { status } = await exchange(port, post(key, `\xef\xbb\xbf${json}`));
  t.equal(status, 200);
  t.equal(sandbox.calls[0]?.body, json);
});

t.test("a body at the limit and one byte over it", async (t) => {
  const { port, key, sandbox } = await start(t);
  const full = json.padEnd(maxBodyBytes, " ");
  t.equal((await exchange(port, post(key, full))).status, 200);
  const over = await exchange(port, post(key, ` ${full}`));
  t.equal(over.status, 413);
  t.equal(over.body.gateway.error, "payload_too_large");
  const chunk = `${maxBodyBytes.toString(16)}\r\n${full}\r\n1\r\n \r\n0\r\n\r\n`;
  const chunked = head(
    key,
    "POST /v1/api_apps",
    "Content-Type: application/json",
    "Transfer-Encoding: chunked",
  );
  t.equal((await exchange(port, chunked + chunk)).status, 413, "without a declared length too");
  t.equal(sandbox.calls.length, 1);
});

t.test("an empty body is no body, whatever its type says", async (t) => {
  const { port, key, sandbox } = await start(t);
  for (const type of ["application/json; charset=utf-16", "text/plain", "application/octet-stream", ""]) {
    for (const [framing, end] of [
      ["Content-Length: 0", ""],
      ["Transfer-Encoding: chunked", "0\r\n\r\n"],
    ] as const) {
      const lines = [...(type === "" ? [] : [`Content-Type: ${type}`]), framing];
      const { status, body } = await exchange(port, head(key, "POST /v1/api_apps", ...lines) + end);
      t.equal(status, 400, `${lines}`);
      t.same(body.gateway.issues, [{ path: "body", message: "must be a JSON object" }]);
      sandbox.faults.add(success);
      const removed = await exchange(port, head(key, `DELETE /v1/api_apps/${appId}`, ...lines) + end);
      t.equal(removed.status, 200, `${lines}`);
    }
  }
});
