import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import t from "tap";
import { hashKey, keyCredentialId, mintKey } from "../../src/callers/key.ts";
import { startProgram } from "../commands/process.ts";
import { callersYaml, startSandbox, token } from "../helpers/gateway.ts";

const replicas = 4;
/** Requests a second over all replicas. */
const rate = 200;
const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

t.test("a key that is revoked under load stops working at four replicas", async (t) => {
  const coze = await startSandbox(t);
  const folder = t.testdir({ token });
  const [leaked, kept] = [mintKey("billing"), mintKey("orders")];
  const callersFile = join(folder, "callers.yaml");
  writeFileSync(
    callersFile,
    callersYaml([
      { id: "billing", key: leaked },
      { id: "orders", key: kept },
    ]),
  );
  const environment = {
    ...{ HOST: "127.0.0.1", PORT: "0", ADMIN_PORT: "0", LOG_LEVEL: "error" },
    ...{ COZE_BASE_URL: coze.url, COZE_TOKEN_FILE: join(folder, "token"), CALLERS_FILE: callersFile },
    ...{ RATE_LIMIT_READ: "unlimited", AUDIT_TIMEOUT_MS: "10000", RATE_LIMIT_UNAUTHENTICATED: "unlimited" },
  };
  const programs = Array.from({ length: replicas }, () =>
    startProgram(t, ["serve"], { ...environment, LOG_LEVEL: "info" }),
  );
  const urls = await Promise.all(
    programs.map(async (program) => (await program.prints(/"url":"([^"]+)"/))[1] ?? ""),
  );

  /** When each request was sent, and how it was answered. */
  const answers: { readonly key: string; readonly sentAt: number; readonly status: number }[] = [];
  const under = new Set<Promise<void>>();
  const send = (key: string, url: string) => {
    const sentAt = performance.now();
    const answered = fetch(`${url}/gateway/v1/whoami`, { headers: { authorization: `Bearer ${key}` } }).then(
      async (reply) => {
        await reply.arrayBuffer();
        answers.push({ key, sentAt, status: reply.status });
      },
    );
    under.add(answered);
    void answered.finally(() => under.delete(answered));
  };
  const load = async (seconds: number) => {
    const startedAt = performance.now();
    for (let sent = 0; sent < rate * seconds; sent++) {
      const late = startedAt + (sent * 1000) / rate - performance.now();
      if (late > 0) await sleep(late);
      send(sent % 8 < 7 ? leaked : kept, urls[sent % replicas] ?? "");
    }
    await Promise.all(under);
  };

  // What this process itself slept is not the gateways' delay.
  const stalls = monitorEventLoopDelay({ resolution: 10 });
  stalls.enable();
  const loaded = load(8);
  await sleep(2_000);
  const revoke = ["keys", "revoke", "--credential-id", keyCredentialId(hashKey(leaked))];
  const revoked = new Promise<{ status: number | null; stdout: string; at: number }>((resolve) => {
    const program = startProgram(t, revoke, environment);
    void program
      .ended()
      .then((status) => resolve({ status: Number(status), stdout: program.stdout(), at: performance.now() }));
  });
  const { status, stdout, at } = await revoked;
  t.equal(status, 0, stdout);
  t.match(stdout, "Taken out of");
  await loaded;

  const ofLeaked = answers.filter(({ key }) => key === leaked);
  const accepted = ofLeaked.filter((answer) => answer.status === 200);
  const lastAcceptedMs = Math.max(...accepted.map(({ sentAt }) => sentAt)) - at;
  t.ok(accepted.length > rate, "it worked before");
  t.ok(
    ofLeaked.slice(-50).every((answer) => answer.status === 401),
    "and does not any more, at any replica",
  );
  t.ok(
    answers.filter(({ key }) => key === kept).every((answer) => answer.status === 200),
    "the other caller noticed nothing",
  );
  const stallMs = stalls.max / 1e6;
  t.ok(
    lastAcceptedMs - stallMs <= 2_000,
    `${lastAcceptedMs} ms, of which this process stood still for ${stallMs}`,
  );
  t.comment(
    `${answers.length} requests at ${replicas} replicas; last accepted ${Math.round(lastAcceptedMs)} ms after`,
  );
});

t.test("the commands that an operator types", async (t) => {
  const folder = t.testdir({});
  const key = mintKey("billing");
  const CALLERS_FILE = join(folder, "callers.yaml");
  writeFileSync(CALLERS_FILE, callersYaml([{ id: "billing", key }]));
  const run = (args: readonly string[], input = "") =>
    spawnSync(process.execPath, [main, ...args], {
      env: { PATH: process.env["PATH"], CALLERS_FILE, AUDIT_STORE: `sqlite:${folder}/audit.db` },
      input,
      encoding: "utf8",
    });
  t.match(run(["keys", "list"]), { status: 0, stdout: keyCredentialId(hashKey(key)) });
  const revoked = run(["keys", "revoke", "--stdin"], `found in a repository: ${key}\n`);
  t.match(revoked, { status: 0, stdout: /Taken out of/ });
  t.notMatch(revoked.stdout + revoked.stderr, key);
  t.match(run(["keys", "revoke", "--stdin"], key), { status: 1, stderr: /no key/ });
});
