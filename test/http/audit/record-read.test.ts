import type { FastifyRequest } from "fastify";
import t from "tap";
import { GatewayError } from "../../../src/errors.ts";
import { listAuditEvents } from "../../../src/http/audit/actions.ts";
import { readRecorder } from "../../../src/http/audit/record-read.ts";
import { eventually } from "../../config/eventually.ts";
import { lockStore, start } from "../helper.ts";

const path = "/gateway/v1/audit/events";

t.test("a read of the trail is recorded before its reply: who, which app, which parameters", async (t) => {
  const { call, records } = await start(t);
  const reply = await call("GET", `${path}?api_app_id=75120&caller=CANARY&page_size=5`);
  t.equal(reply.status, 200);
  await call("GET", `${path}/none:1`);
  const [read, refused, ...more] = records();
  t.match(read, {
    kind: "outcome",
    caller: "tester",
    operation: "list_audit_events",
    permission: "readAudit",
    api_app_id: "75120",
    fields: ["api_app_id", "caller", "page_size"],
    outcome: "done",
    status: 200,
  });
  t.match(refused, { kind: "refused", operation: "get_audit_event", status: 404, error: "not_found" });
  t.strictSame(more, []);
  t.notMatch(JSON.stringify(read), "CANARY");
});

t.test("a read that cannot be recorded is not answered", async (t) => {
  const gateway = await start(t, { AUDIT_TIMEOUT_MS: "1000" });
  const unlock = lockStore(gateway);
  const first = await gateway.call("GET", path);
  const second = await gateway.call("GET", path);
  unlock();
  for (const { status, body } of [first, second]) {
    t.equal(status, 503);
    t.equal(body.gateway.error, "audit_unavailable");
    t.notOk("data" in body);
  }
  await eventually("the record of the first", () => gateway.records().length === 1);
});

t.test("a request of which nobody knows whose it is is a failure of ours", async (t) => {
  const unused = { begin: () => t.fail("nothing is to be recorded") };
  const requests = [
    { credential: undefined, routeOptions: { config: { operation: listAuditEvents } } },
    { credential: { caller: { id: "a" } }, routeOptions: { config: {} } },
  ];
  for (const request of requests) {
    const record = readRecorder(unused as unknown as Parameters<typeof readRecorder>[0]);
    await t.rejects(record(request as FastifyRequest, { fields: [] }), new GatewayError("internal"));
  }
});
