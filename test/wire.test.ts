import { readFile } from "node:fs/promises";
import t from "tap";
import { openSqliteStore } from "../src/audit/sqlite/store.ts";
import { version } from "../src/wire.ts";
import { eventually } from "./config/eventually.ts";
import { lockStore, start } from "./http/helper.ts";

t.test("the version is that of package.json", async (t) => {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  t.equal(version, JSON.parse(text).version);
});

t.test("every stored record is a line of the log, byte for byte, whatever the level", async (t) => {
  const { call, text, folder } = await start(t, { LOG_LEVEL: "error" });
  const created = await call("POST", "/v1/api_apps", { app_type: "normal", name: "one" });
  await call("GET", "/v1/api_apps");
  const reader = await openSqliteStore(`${folder}/audit.db`, {});
  const rows = await reader.find({}, { order: "oldest_first", limit: 10 });
  await reader.close();
  t.strictSame(
    rows.map(({ kind }) => kind),
    ["opened", "attempt", "outcome", "outcome"],
  );
  const lines = text().split("\n").slice(0, -1);
  t.equal(lines.length, rows.length);
  for (const [index, { stream, seq, hash, text: record }] of rows.entries()) {
    const [, ts = "", rest] = /^\{"level":"info","ts":"([^"]+)",(.*)$/.exec(lines[index] ?? "") ?? [];
    t.equal(rest, `"event":"audit","stream":"${stream}","seq":${seq},"hash":"${hash}","record":${record}}`);
    t.equal(new Date(ts).toISOString(), ts);
  }
  t.match(lines[2], created.body.detail.logid);
});

t.test("metrics and readiness tell how the audit trail is", async (t) => {
  const gateway = await start(t, { AUDIT_TIMEOUT_MS: "1000" });
  const { call } = gateway;
  const { admin } = gateway.gateway;
  const metrics = async () => (await admin.inject("/metrics")).body;
  const ready = async () => (await admin.inject("/readyz")).json();
  await call("DELETE", "/v1/api_apps/7512345678901234567");
  t.match(await ready(), { checks: { audit: true } });
  const before = await metrics();
  for (const line of [
    "audit_usable 1",
    "audit_waiting 0",
    "audit_unsettled 0",
    "audit_last_seq 3",
    'audit_records_total{kind="opened"} 1',
    'audit_records_total{kind="attempt"} 1',
    'audit_records_total{kind="outcome"} 1',
    "audit_append_seconds_count 3",
  ]) {
    t.match(before, `\ncoze_gateway_${line}\n`);
  }
  const unlock = lockStore(gateway);
  t.equal((await call("DELETE", "/v1/api_apps/7512345678901234567")).status, 503);
  t.match(await ready(), { status: "not ready", checks: { audit: false } });
  const during = await metrics();
  t.match(during, "\ncoze_gateway_audit_usable 0\n");
  t.match(during, /\ncoze_gateway_audit_failures_total [1-9]/);
  t.match(during, "\ncoze_gateway_audit_waiting 1\n");
  unlock();
  await eventually("readiness", async () => (await ready()).checks.audit);
});
