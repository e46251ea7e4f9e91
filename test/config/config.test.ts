import { inspect } from "node:util";
import t from "tap";
import { ConfigError, loadConfig, loadStoreConfig, storeConfigOf } from "../../src/config/config.ts";
import { Rate } from "../../src/config/rate.ts";

const canary = "sat_CANARY0123456789abcdef";
const least = { COZE_TOKEN: canary, CALLERS_FILE: "/etc/callers.yaml" };

/** The problems that the environment has on top of the least one that works; undefined takes a variable away. */
function problemsOf(environment: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadConfig({ ...least, ...environment });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

t.test("the least environment takes every default", async (t) => {
  const { COZE_TOKEN, AUDIT_STORE, ...rest } = loadConfig(least);
  t.equal(COZE_TOKEN?.reveal(), canary);
  t.equal(AUDIT_STORE.reveal(), "sqlite:data/audit.db");
  t.strictSame(rest, {
    HOST: "0.0.0.0",
    PORT: 3000,
    ADMIN_PORT: 9090,
    AUDIT_TIMEOUT_MS: 400,
    COZE_BASE_URL: "https://api.coze.cn",
    COZE_ALLOW_HTTP: false,
    COZE_MAX_CONNECTIONS: 128,
    COZE_MAX_QUEUE: 1024,
    COZE_OAUTH_DURATION_SECONDS: 3_600,
    RATE_LIMIT_READ: new Rate(100, 1_000),
    RATE_LIMIT_WRITE: new Rate(20, 1_000),
    RATE_LIMIT_DESTRUCTIVE: new Rate(5, 1_000),
    RATE_LIMIT_UNAUTHENTICATED: new Rate(20, 1_000),
    RATE_LIMIT_STORE: "memory",
    CALLERS_FILE: "/etc/callers.yaml",
    LOG_LEVEL: "info",
    REQUEST_TIMEOUT_MS: 10_000,
    ATTEMPT_TIMEOUT_MS: 4_000,
    MAX_ATTEMPTS: 3,
    DRAIN_DELAY_MS: 5_000,
  });
});

t.test("every mistake is listed at once", async (t) => {
  const problems = problemsOf({
    PORT: "x",
    LOG_LEVEL: "loud",
    COZE_TOKN: "y",
    COZE_TOKEN_FILE: "/token",
    CALLERS_FILE: "",
    COZE_BASE_URL: "http://coze.example",
    ATTEMPT_TIMEOUT_MS: "20000",
    AUDIT_STORE: "mysql:x",
    AUDIT_RETENTION_DAYS: "0",
  });
  t.same(
    problems.map((problem) => problem.split(": ")[0]),
    [
      "COZE_TOKN",
      "PORT",
      "AUDIT_STORE",
      "AUDIT_RETENTION_DAYS",
      "LOG_LEVEL",
      "COZE_TOKEN, COZE_TOKEN_FILE",
      "CALLERS_FILE",
      "ATTEMPT_TIMEOUT_MS",
      "COZE_BASE_URL",
    ],
  );
  t.equal(new ConfigError(problems).message, "The configuration has 9 mistakes");
  t.equal(new ConfigError(["one"]).message, "The configuration has 1 mistake");
  t.equal(new ConfigError([]).name, "ConfigError");
});

t.test("a variable that is wrong by itself is not blamed a second time", async (t) => {
  t.strictSame(problemsOf({ REQUEST_TIMEOUT_MS: "x", ATTEMPT_TIMEOUT_MS: "20000" }), [
    "REQUEST_TIMEOUT_MS: must be a whole number",
  ]);
});

t.test("a misspelt variable is refused by name, and the known ones are listed", async (t) => {
  for (const name of [
    "COZE_TOKENFILE",
    "COZE_BASE_URI",
    "COZE_",
    "CALLERS_FILES",
    "AUDIT_STOR",
    "AUDIT_STORE_PASSWORD",
    "RATE_LIMIT_X",
    "REQUEST_TIMEOUT_S",
    "ATTEMPT_TIMEOUT",
    "MAX_ATTEMPT_COUNT",
    "DRAIN_DELAY",
    "ADMIN_PORTS",
    "COZE_GATEWAY_PORT_3000_TCP_X",
    "COZE_SERVICE_HOSTS",
    "COZE_PORT",
    "LOG_LEVLE",
    "MAX_ATEMPTS",
  ]) {
    const problems = problemsOf({ [name]: "x" });
    t.equal(problems.length, 1, name);
    t.match(problems[0], new RegExp(`^${name}: not a variable of this program; known are HOST, PORT, `));
  }
  t.strictSame(problemsOf({ PATH: "/bin", HOME: "/", NODE_ENV: "x", npm_config_x: "y", Coze_X: "z" }), []);
});

t.test("the variables that Kubernetes makes of a Service are ignored", async (t) => {
  const links = {
    COZE_GATEWAY_SERVICE_HOST: "10.0.0.7",
    COZE_GATEWAY_SERVICE_PORT: "3000",
    COZE_GATEWAY_SERVICE_PORT_HTTP_METRICS: "9090",
    COZE_GATEWAY_PORT: "tcp://10.0.0.7:3000",
    COZE_GATEWAY_PORT_3000_TCP: "tcp://10.0.0.7:3000",
    COZE_GATEWAY_PORT_3000_TCP_ADDR: "10.0.0.7",
    COZE_GATEWAY_PORT_3000_TCP_PORT: "3000",
    COZE_GATEWAY_PORT_3000_TCP_PROTO: "tcp",
    CALLERS_PORT_53_UDP_ADDR: "10.0.0.8",
  };
  t.strictSame(problemsOf(links), []);
  t.strictSame(loadConfig({ ...least, ...links }), loadConfig(least));
});

t.test("there must be exactly one source of the token, and a callers file", async (t) => {
  t.strictSame(problemsOf({ COZE_TOKEN_FILE: "/token" }), [
    "COZE_TOKEN, COZE_TOKEN_FILE: set one of them, not both",
  ]);
  t.match(problemsOf({ COZE_TOKEN: undefined, CALLERS_FILE: undefined }), [
    /^COZE_TOKEN_FILE: missing/,
    /^CALLERS_FILE: missing/,
  ]);
  const config = loadConfig({ CALLERS_FILE: "c", COZE_TOKEN_FILE: "/token" });
  t.equal(config.COZE_TOKEN_FILE, "/token");
  t.equal(config.COZE_TOKEN, undefined);
});

t.test("an empty variable counts as absent", async (t) => {
  t.strictSame(
    loadConfig({ ...least, PORT: "", HOST: "", COZE_TOKEN_FILE: "", COZE_NO: "" }),
    loadConfig(least),
  );
  t.match(problemsOf({ COZE_TOKEN: "" }), [/^COZE_TOKEN_FILE: missing/]);
});

t.test("variables that contradict each other", async (t) => {
  t.strictSame(problemsOf({ ATTEMPT_TIMEOUT_MS: "10001" }), [
    "ATTEMPT_TIMEOUT_MS: must not exceed REQUEST_TIMEOUT_MS",
  ]);
  t.strictSame(problemsOf({ ATTEMPT_TIMEOUT_MS: "10000" }), []);
  t.strictSame(problemsOf({ PORT: "9090" }), ["PORT, ADMIN_PORT: must not be the same"]);
  t.strictSame(problemsOf({ PORT: "0", ADMIN_PORT: "0" }), []);
  const AUDIT_STORE_PASSWORD_FILE = "/run/secrets/audit";
  t.strictSame(problemsOf({ AUDIT_STORE_PASSWORD_FILE }), [
    "AUDIT_STORE_PASSWORD_FILE: an SQLite store has no password; unset it",
  ]);
  t.strictSame(problemsOf({ AUDIT_STORE_PASSWORD_FILE, AUDIT_STORE: "postgres://audit@db/audit" }), []);
});

t.test("a shared store of rate limits takes the number of replicas, and one password", async (t) => {
  const RATE_LIMIT_STORE = "redis://gateway@redis/1";
  const RATE_LIMIT_STORE_PASSWORD_FILE = "/run/secrets/redis";
  const RATE_LIMIT_REPLICAS = "3";
  t.strictSame(problemsOf({ RATE_LIMIT_STORE }), [
    "RATE_LIMIT_REPLICAS: missing; while RATE_LIMIT_STORE is away, each replica keeps to its part of the limits",
  ]);
  t.strictSame(problemsOf({ RATE_LIMIT_STORE, RATE_LIMIT_REPLICAS }), []);
  t.strictSame(problemsOf({ RATE_LIMIT_STORE, RATE_LIMIT_REPLICAS, RATE_LIMIT_STORE_PASSWORD_FILE }), []);
  t.strictSame(
    problemsOf({ RATE_LIMIT_REPLICAS, RATE_LIMIT_STORE: "memory" }),
    [],
    "COZE_MAX_RATE needs it too",
  );
  t.strictSame(problemsOf({ RATE_LIMIT_STORE_PASSWORD_FILE }), [
    "RATE_LIMIT_STORE_PASSWORD_FILE: memory has no password; unset it",
  ]);
  const withPassword = `redis://gateway:${canary}@redis/1`;
  const twice = { RATE_LIMIT_STORE: withPassword, RATE_LIMIT_REPLICAS, RATE_LIMIT_STORE_PASSWORD_FILE };
  t.strictSame(problemsOf(twice), [
    "RATE_LIMIT_STORE, RATE_LIMIT_STORE_PASSWORD_FILE: give the password in one, not in both",
  ]);
  t.strictSame(
    problemsOf({ ...twice, RATE_LIMIT_STORE: `http://gateway:${canary}@redis` }).map(
      (problem) => problem.split(":")[0],
    ),
    ["RATE_LIMIT_STORE"],
    "a wrong store is not blamed a second time",
  );
  const config = loadConfig({ ...least, RATE_LIMIT_STORE: withPassword, RATE_LIMIT_REPLICAS });
  t.notMatch(inspect(config, { depth: 9, showHidden: true }) + JSON.stringify(config), canary);
});

t.test("http:// is for loopback, or for who insists", async (t) => {
  for (const host of ["localhost", "127.0.0.1:8080", "127.9.9.9", "[::1]:9", "127.1"]) {
    t.strictSame(problemsOf({ COZE_BASE_URL: `http://${host}` }), [], host);
  }
  for (const host of [
    "api.coze.cn",
    "localhost.example",
    "127.0.0.1.example",
    "10.0.0.1",
    "0.0.0.0",
    "[::2]",
  ]) {
    t.match(problemsOf({ COZE_BASE_URL: `http://${host}` }), [/^COZE_BASE_URL: http:\/\/ would send/], host);
    t.strictSame(problemsOf({ COZE_BASE_URL: `http://${host}`, COZE_ALLOW_HTTP: "true" }), []);
  }
});

t.test("the configuration is frozen and shows no secret, and neither does an error", async (t) => {
  const config = loadConfig(least);
  t.ok(Object.isFrozen(config));
  t.throws(() => Object.assign(config, { PORT: 1 }), TypeError);
  const shown = [
    JSON.stringify(config),
    inspect(config, { depth: 9, showHidden: true }),
    String(config.COZE_TOKEN),
  ];
  for (const text of shown) t.notMatch(text, canary);
  t.match(shown[0], '"COZE_TOKEN":"[redacted]"');
  const wrong = { ...least, COZE_TOKEN_FILE: canary, COZE_KEY: canary, PORT: canary, COZE_BASE_URL: canary };
  const problems = problemsOf(wrong);
  t.equal(problems.length, 4);
  t.notMatch(problems.join(), canary);
  t.notMatch(inspect(new ConfigError(problems)), canary);
});

t.test("the password of a database does not show either", async (t) => {
  const config = loadConfig({ ...least, AUDIT_STORE: `postgres://audit:${canary}@db/audit` });
  for (const text of [JSON.stringify(config), inspect(config, { depth: 9, showHidden: true })]) {
    t.match(text, "postgres://audit:[redacted]@db/audit");
    t.notMatch(text, canary);
  }
  const [problem = "", ...more] = problemsOf({ AUDIT_STORE: `mysql://audit:${canary}@db/audit` });
  t.match(problem, /^AUDIT_STORE: must be sqlite:<file> or postgres:/);
  t.notMatch(problem, canary);
  t.strictSame(more, []);
});

t.test("commands on the audit store need its variables only", async (t) => {
  const store = loadStoreConfig({
    AUDIT_STORE: "postgres://audit@db/audit",
    AUDIT_STORE_PASSWORD_FILE: "/run/secrets/audit",
    AUDIT_RETENTION_DAYS: "365",
    COZE_TOKN: "of no concern",
    PORT: "x",
  });
  t.equal(store.url.reveal(), "postgres://audit@db/audit");
  t.match(store, { passwordFile: "/run/secrets/audit", retentionDays: 365 });
  const { url, ...rest } = loadStoreConfig({ AUDIT_STORE: "" });
  t.equal(url.reveal(), "sqlite:data/audit.db");
  t.strictSame(rest, { passwordFile: undefined, retentionDays: undefined });
  t.strictSame(storeConfigOf(loadConfig(least)).url.reveal(), url.reveal());
});

t.test("and every mistake in these is listed at once", async (t) => {
  const load = (environment: NodeJS.ProcessEnv) => {
    try {
      return String(loadStoreConfig(environment).url);
    } catch (error) {
      return (error as ConfigError).problems;
    }
  };
  t.match(load({ AUDIT_STOR: "x", AUDIT_STORE: "sqlite:", AUDIT_RETENTION_DAYS: "forever" }), [
    /^AUDIT_STOR: not a variable of this program; known are /,
    "AUDIT_STORE: sqlite: must name a file",
    "AUDIT_RETENTION_DAYS: must be a whole number",
  ]);
  t.match(load({ AUDIT_STOR: "x" }), [/^AUDIT_STOR: not a variable/]);
});
