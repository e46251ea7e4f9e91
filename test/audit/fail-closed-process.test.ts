import { execFileSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { files } from "../commands/files.ts";
import { eventually } from "../config/eventually.ts";
import { call, startSandbox } from "../helpers/gateway.ts";
import { startGatewayProcess } from "./gateway-process.ts";
import { inspect, recordsOfRequest } from "./inspect.ts";

t.setTimeout(300_000);

const skip = canLimit() ? false : "there is no prlimit";

function canLimit(): boolean {
  try {
    execFileSync("prlimit", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

t.test("the real program when its files may not grow, and when they may again", { skip }, async (t) => {
  const { url: coze, sandbox } = await startSandbox(t);
  const { folder, key, environment } = files(t);
  const store = `sqlite:${join(folder, "audit.db")}`;
  const gateway = await startGatewayProcess(t, { ...environment, COZE_BASE_URL: coze, AUDIT_STORE: store });
  const { url } = gateway;
  let ids = 0;
  const change = async () => {
    const id = `limited-${++ids}`;
    const headers = { authorization: `Bearer ${key}`, "x-request-id": id };
    return { id, ...(await call(`${url}/v1/api_apps/${id}`, "DELETE", headers)) };
  };
  /** As on a disk where nothing more goes: each write of the process to a file fails. Its pipes go on. */
  const limitFiles = (bytes: string) => {
    execFileSync("prlimit", ["--pid", String(gateway.pid), `--fsize=${bytes}:`]);
  };
  t.equal((await change()).status, 404, "Coze does not know the app");

  limitFiles("0");
  const seen = sandbox.calls.length;
  const refused = [await change(), await change()];
  for (const { status, body } of refused)
    t.match(
      { status, body },
      { status: 503, body: { gateway: { error: "audit_unavailable", outcome: "not_sent" } } },
    );
  t.equal((await fetch(`${url}/readyz`)).status, 503);
  t.equal((await fetch(`${url}/livez`)).status, 200);
  t.equal(sandbox.calls.length, seen, "Coze saw nothing");

  limitFiles("unlimited");
  const served = await eventually("a change that Coze answers", async () => {
    const reply = await change();
    return reply.status === 404 && reply;
  });
  t.equal((await fetch(`${url}/readyz`)).status, 200);
  t.equal(await gateway.stop(), 0);

  const trail = await inspect(store, gateway.log());
  t.strictSame(trail.report.faults, []);
  t.match(trail.report, { streams: 1, stopped: 1, unfinished: { count: 0 } });
  t.match(recordsOfRequest(trail, String(refused[0]?.id)), [
    { kind: "attempt" },
    { kind: "outcome", outcome: "not_sent", error: "audit_unavailable" },
  ]);
  t.match(recordsOfRequest(trail, served ? served.id : ""), [{ kind: "attempt" }, { kind: "outcome" }]);
});
