import t from "tap";
import { stringify } from "yaml";
import { openSqliteStore } from "../../src/audit/sqlite/store.ts";
import { check } from "../../src/commands/check.ts";
import { Trail } from "../audit/rows.ts";

const orders = {
  id: "orders",
  grants: [
    { permissions: ["listApiApp"], api_app_ids: "all" },
    { permissions: ["deleteApiApp", "createApiApp"], api_app_ids: "own" },
    { permissions: ["createApiApp"], api_app_ids: "own", app_types: ["connector"] },
  ],
};

/** What `check --explain` prints and how it ends, with a store in which `orders` owns the app 7. */
async function start(t: Pick<typeof import("tap").t, "testdir">) {
  const folder = t.testdir({ "callers.yaml": stringify({ callers: [orders] }) });
  const path = `${folder}/audit.db`;
  const environment = { CALLERS_FILE: `${folder}/callers.yaml`, AUDIT_STORE: `sqlite:${path}` };
  const explain = async (line: string, more: NodeJS.ProcessEnv = {}) => {
    let printed = "";
    const terminal = {
      environment: { ...environment, ...more },
      isTTY: false,
      out: (text: string) => {
        printed += text;
      },
    };
    const ended = await check(["--explain", ...line.split(" ")], terminal).then(
      () => "good",
      (error: Error) => `${error.name}: ${(error as { problems?: string[] }).problems ?? error.message}`,
    );
    return { printed, ended };
  };
  const own = async () => {
    const store = await openSqliteStore(path, { stream: "s" });
    const trail = new Trail("s");
    const made = { kind: "owner", api_app_id: "7", owner: "orders", operator: "root" } as const;
    await store.append([trail.next(made)], undefined);
    await store.close();
  };
  return { explain, own };
}

t.test("allowed: the grant that says so, and who owns the app", async (t) => {
  const { explain, own } = await start(t);
  await own();
  const { printed, ended } = await explain("--caller orders --operation delete_api_app --api-app-id 7");
  t.equal(ended, "good");
  t.match(
    printed,
    /^caller orders, delete_api_app on 7, callers file [0-9a-f]{16}\nthe app is owned by orders\n/,
  );
  t.match(
    printed,
    /\nallowed by grants\[1\]\n- permissions:\n {4}- deleteApiApp\n {4}- createApiApp\n {2}api_app_ids: own\n$/,
  );
  t.match(
    (await explain("--caller orders --operation create_api_app --app-type normal")).printed,
    "by grants[1]\n",
  );
});

t.test("not allowed: why, and exit 1", async (t) => {
  const { explain, own } = await start(t);
  await own();
  t.match(await explain("--caller orders --operation delete_api_app --api-app-id 8"), {
    printed: /^caller orders, delete_api_app on 8, /,
    ended: "CommandFailure: not allowed: Caller orders does not hold deleteApiApp on this callback app.",
  });
});

t.test("where there is no store yet, nobody owns anything", async (t) => {
  const { explain } = await start(t);
  const { ended } = await explain("--caller orders --operation delete_api_app --api-app-id 7");
  t.match(ended, /^CommandFailure: not allowed/);
  t.match((await explain("--caller orders --operation list_api_apps")).printed, "allowed by grants[0]");
});

t.test("wrong words, files and stores", async (t) => {
  const { explain } = await start(t);
  const list = "--caller orders --operation list_api_apps";
  const cases: [line: string, environment: NodeJS.ProcessEnv, ended: RegExp][] = [
    ["--caller nobody --operation list_api_apps", {}, /^UsageError: --caller must be one of orders$/],
    ["--operation list_api_apps", {}, /^UsageError: --caller must be/],
    ["--caller orders --operation erase", {}, /^UsageError: --operation must be one of create_api_app, /],
    [
      "--caller orders --operation delete_api_app",
      {},
      /^UsageError: delete_api_app is on one app: name it with/,
    ],
    [`${list} --app-type banana`, {}, /^UsageError: --app-type must match \^\(normal\|connector\)\$$/],
    [`${list} --event-type ..`, {}, /^UsageError: --event-type must match/],
    [
      "--caller orders --operation delete_api_app --api-app-id ../x",
      {},
      /^UsageError: --api-app-id must match/,
    ],
    [list, { CALLERS_FILE: "" }, /^ConfigError: CALLERS_FILE: missing; name/],
    [list, { CALLERS_FILE: "/none" }, /^ConfigError: CALLERS_FILE \/none: ENOENT/],
    [
      "--caller orders --operation delete_api_app --api-app-id 7",
      { AUDIT_STORE: "sqlite:/dev/null/x" },
      /^(ConfigError: AUDIT_STORE sqlite:\/dev\/null\/x: |CommandFailure)/,
    ],
    [
      "--caller orders --operation delete_api_app --api-app-id 7",
      { AUDIT_STORE: "sqlite:/etc/passwd" },
      /^ConfigError: AUDIT_STORE sqlite:\/etc\/passwd: /,
    ],
  ];
  for (const [line, environment, expected] of cases)
    t.match((await explain(line, environment)).ended, expected, line);
});

t.test("the flags mean nothing without --explain", async (t) => {
  const terminal = { environment: {}, isTTY: false, out: () => undefined };
  await t.rejects(check(["--caller", "x"], terminal), { message: "--caller goes with --explain" });
});
