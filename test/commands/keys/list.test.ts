import { rm } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { openSqliteStore } from "../../../src/audit/sqlite/store.ts";
import { authenticate } from "../../../src/callers/authenticate.ts";
import { hashKey, mintKey } from "../../../src/callers/key.ts";
import { parsePolicy } from "../../../src/callers/policy.ts";
import { keysList } from "../../../src/commands/keys/list.ts";
import { Trail } from "../../audit/rows.ts";
import { eventually } from "../../config/eventually.ts";
import { call, startGateway, startSandbox } from "../../helpers/gateway.ts";
import { problemsOf, terminal } from "../files.ts";

const dayMs = 24 * 60 * 60 * 1000;
const inDays = (days: number) => new Date(Date.now() + days * dayMs).toISOString();
const idOf = (name: string) => hashKey(name).slice(0, 16);
const subject = "system:serviceaccount:billing:api";

const yaml = `callers:
  - id: billing
    keys:
      - sha256: ${hashKey("live")}
      - sha256: ${hashKey("far")}
        expires_at: ${inDays(14.5)}
  - id: reports
    keys:
      - sha256: ${hashKey("old")}
        expires_at: 2020-01-01T00:00:00+08:00
      - sha256: ${hashKey("soon")}
        expires_at: ${inDays(13.5)}
      - sha256: ${hashKey("today")}
        expires_at: ${inDays(0.5)}
  - id: pods
    identities:
      - issuer: k8s
        subject: ${subject}
      - issuer: k8s
        subject_prefix: "system:serviceaccount:jobs:"
  - id: nobody
issuers:
  - name: k8s
    issuer: https://kubernetes.default.svc
    audiences: [coze-gateway]
    jwks_uri: https://kubernetes.default.svc/openid/v1/jwks
    algorithms: [RS256]
`;

/** Where there is a callers file and an audit store that saw the key "live". */
async function setUp(t: Pick<typeof import("tap").t, "testdir">, content = yaml) {
  const folder = t.testdir({ "callers.yaml": content });
  const store = await openSqliteStore(join(folder, "audit.db"), { stream: "a.1" });
  const trail = new Trail("a.1");
  await store.append(
    [trail.next({ kind: "refused", caller: "billing", credential_id: idOf("live") })],
    undefined,
  );
  await store.close();
  const environment = {
    CALLERS_FILE: join(folder, "callers.yaml"),
    AUDIT_STORE: `sqlite:${join(folder, "audit.db")}`,
  };
  const list = async (...args: string[]) => {
    const { printed, ...rest } = terminal(environment);
    await keysList(args, rest);
    return printed();
  };
  return { folder, list };
}

t.test("a table for a person", async (t) => {
  const { list } = await setUp(t);
  const text = await list();
  const lines = text.trimEnd().split("\n");
  const places = [...(lines[0] ?? "").matchAll(/\S+( \S+)*/g)].map(({ index }) => index);
  const cells = lines.map((line) => places.map((at, column) => line.slice(at, places[column + 1]).trim()));
  t.strictSame(
    cells.map((row) => row.with(3, row[3] === "" ? "" : "(date)")),
    [
      ["CALLER", "CREDENTIAL ID", "STATE", "(date)", "LAST USED", "KIND"],
      ["billing", idOf("live"), "live", "", "2027-03-10T12:00:00.000Z", "key"],
      ["billing", idOf("far"), "live", "(date)", "no record", "key"],
      ["reports", idOf("old"), "expired", "(date)", "no record", "key"],
      ["reports", idOf("soon"), "expires in 14 days", "(date)", "no record", "key"],
      ["reports", idOf("today"), "expires in 1 day", "(date)", "no record", "key"],
      ["pods", idOf(`k8s\n${subject}`), "live", "", "no record", `jwt of k8s: ${subject}`],
      ["pods", "", "live", "", "", "jwt of k8s: system:serviceaccount:jobs:*"],
    ],
  );
  t.equal(cells[3]?.[3], "2019-12-31T16:00:00.000Z");
  t.notMatch(text, hashKey("live"), "the id stands for the key, not the whole hash");
});

t.test("--json: one object each", async (t) => {
  const { list } = await setUp(t);
  const objects = (await list("--json"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.equal(objects.length, 7);
  t.strictSame(objects[0], {
    caller: "billing",
    kind: "key",
    credential_id: idOf("live"),
    state: "live",
    last_used: "2027-03-10T12:00:00.000Z",
  });
  t.match(objects[1], { state: "live", days_left: 15, last_used: null });
  t.match(objects[2], { state: "expired", days_left: 0, expires_at: "2019-12-31T16:00:00.000Z" });
  t.match(objects[3], { state: "expiring", days_left: 14 });
  t.match(objects[5], { kind: "jwt", issuer: "k8s", subject, last_used: null });
  t.strictSame(objects[6], {
    caller: "pods",
    kind: "jwt",
    state: "live",
    issuer: "k8s",
    subject_prefix: "system:serviceaccount:jobs:",
  });
});

t.test("an audit store that cannot be read: the list comes all the same, and says why", async (t) => {
  const { folder, list } = await setUp(t);
  await rm(join(folder, "audit.db"));
  const text = await list();
  t.match(text, new RegExp(`^billing +${idOf("live")} +live +unknown +key$`, "m"));
  t.match(text, /^pods +live +jwt of k8s: system:serviceaccount:jobs:\*$/m);
  t.match(text, /\n\nWhen they were used last is unknown: AUDIT_STORE sqlite:.*no such file.*\n$/);
  const [first] = (await list("--json")).split("\n");
  const object = JSON.parse(first ?? "");
  t.match(object.last_used_unknown, /^AUDIT_STORE sqlite:/);
  t.notOk("last_used" in object);
});

t.test("nobody, and no callers file", async (t) => {
  t.match(await (await setUp(t, "callers: []")).list(), /^The callers file has no keys/);
  t.equal(await (await setUp(t, "callers: []")).list("--json"), "");
  t.match(await problemsOf((await setUp(t, "callers: [{id: A}]")).list()), [
    /^CALLERS_FILE .*callers\.0\.id/,
  ]);
  t.match(await problemsOf(keysList([], terminal())), [/^CALLERS_FILE: missing/]);
  await t.rejects(keysList(["all"], terminal()), { code: /^ERR_PARSE_ARGS/ });
});

t.test("what the file says cannot forge a line", async (t) => {
  const { list } = await setUp(t, yaml.replace(`subject: ${subject}`, 'subject: "a\\nforged  \\e[2J"'));
  await t.rejects(list(), { name: "ConfigError" }, "no token has such a subject");
});

t.test("the ids are those that the gateway records", async (t) => {
  const policy = parsePolicy(yaml);
  const verified = { issuer: "k8s", subject, expiresAt: Date.now() + dayMs };
  const jwt = `Bearer ${["{}", "{}", "x"].map((part) => Buffer.from(part).toString("base64url")).join(".")}`;
  const { id } = await authenticate([jwt], policy, { verify: async () => verified }, Date.now());
  t.equal(id, idOf(`k8s\n${subject}`));
  const coze = await startSandbox(t);
  const key = mintKey("user");
  const gateway = await startGateway(t, coze.url, {}, [{ id: "user", key }]);
  await call(`${gateway.url}/v1/api_apps`, "GET", { authorization: `Bearer ${key}` });
  const { printed, ...rest } = terminal({
    CALLERS_FILE: join(gateway.folder, "callers.yaml"),
    AUDIT_STORE: `sqlite:${join(gateway.folder, "audit.db")}`,
  });
  await eventually("the use to be listed", async () => {
    await keysList([], rest);
    return new RegExp(`^user +${idOf(key)} +live +20\\d\\d-`, "m").test(printed());
  });
});
