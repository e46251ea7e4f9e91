import { inspect } from "node:util";
import t from "tap";
import { ConfigError, loadConfig, variables } from "../../src/config/config.ts";

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
  const { COZE_TOKEN, ...rest } = loadConfig(least);
  t.equal(COZE_TOKEN?.reveal(), canary);
  t.strictSame(rest, {
    HOST: "0.0.0.0",
    PORT: 3000,
    ADMIN_PORT: 9090,
    COZE_BASE_URL: "https://api.coze.cn",
    COZE_ALLOW_HTTP: false,
    COZE_MAX_CONNECTIONS: 128,
    COZE_MAX_QUEUE: 1024,
    CALLERS_FILE: "/etc/callers.yaml",
    LOG_LEVEL: "info",
    REQUEST_TIMEOUT_MS: 10_000,
    ATTEMPT_TIMEOUT_MS: 4_000,
    MAX_ATTEMPTS: 3,
    DRAIN_DELAY_MS: 5_000,
  });
});

t.test("every variable says what it means", async (t) => {
  for (const [name, schema] of Object.entries(variables.shape)) t.match(schema.description, /\w{3}/, name);
});

t.test("numbers are taken between their bounds and nowhere else", async (t) => {
  const bounds = {
    PORT: [0, 65_535],
    ADMIN_PORT: [0, 65_535],
    COZE_MAX_CONNECTIONS: [1, 10_000],
    COZE_MAX_QUEUE: [0, 100_000],
    REQUEST_TIMEOUT_MS: [100, 600_000],
    ATTEMPT_TIMEOUT_MS: [50, 600_000],
    MAX_ATTEMPTS: [1, 10],
    DRAIN_DELAY_MS: [0, 300_000],
  } as const;
  // Leave room for the other of the two timeouts.
  const room = { REQUEST_TIMEOUT_MS: "600000", ATTEMPT_TIMEOUT_MS: "50" };
  for (const [name, [lowest, highest]] of Object.entries(bounds)) {
    for (const good of [lowest, lowest + 1, highest]) {
      const config = loadConfig({ ...least, ...room, [name]: String(good) });
      t.equal(config[name as keyof typeof bounds], good, `${name}=${good}`);
    }
    const between = [`${name}: must be between ${lowest} and ${highest}`];
    t.strictSame(problemsOf({ ...room, [name]: String(highest + 1) }), between);
    if (lowest > 0) t.strictSame(problemsOf({ ...room, [name]: String(lowest - 1) }), between);
    for (const bad of ["-1", "1.5", "1e3", "0x10", " 5", "ten", "1234567890"]) {
      const problems = problemsOf({ ...room, [name]: bad });
      t.equal(problems.length, 1);
      t.match(problems[0], new RegExp(`^${name}: must be a whole number$`), `${name}=${bad}`);
    }
  }
});

t.test("words are taken from their lists", async (t) => {
  for (const level of ["debug", "info", "warn", "error"] as const) {
    t.equal(loadConfig({ ...least, LOG_LEVEL: level }).LOG_LEVEL, level);
  }
  t.strictSame(problemsOf({ LOG_LEVEL: "INFO" }), ["LOG_LEVEL: must be debug, info, warn or error"]);
  t.equal(loadConfig({ ...least, COZE_ALLOW_HTTP: "true" }).COZE_ALLOW_HTTP, true);
  t.strictSame(problemsOf({ COZE_ALLOW_HTTP: "1" }), ["COZE_ALLOW_HTTP: must be true or false"]);
  t.strictSame(problemsOf({ HOST: "localhost" }), ["HOST: must be an address, such as 127.0.0.1 or 0.0.0.0"]);
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
  });
  t.same(
    problems.map((problem) => problem.split(": ")[0]),
    [
      "COZE_TOKN",
      "PORT",
      "LOG_LEVEL",
      "COZE_TOKEN, COZE_TOKEN_FILE",
      "CALLERS_FILE",
      "ATTEMPT_TIMEOUT_MS",
      "COZE_BASE_URL",
    ],
  );
  t.equal(new ConfigError(problems).message, "The configuration has 7 mistakes");
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
});

t.test("the base URL is an origin", async (t) => {
  const good = {
    "https://api.coze.com": "https://api.coze.com",
    "https://api.coze.com/": "https://api.coze.com",
    "https://API.coze.com:443": "https://api.coze.com",
    "https://api.coze.com:8443": "https://api.coze.com:8443",
  };
  for (const [given, origin] of Object.entries(good)) {
    t.equal(loadConfig({ ...least, COZE_BASE_URL: given }).COZE_BASE_URL, origin, given);
  }
  for (const bad of [
    "https://api.coze.com/v1",
    "https://api.coze.com?x=1",
    "https://api.coze.com/#x",
    "https://user@api.coze.com",
    `https://:${canary}@api.coze.com`,
    "ftp://api.coze.com",
    "file:///etc/passwd",
    "api.coze.com",
    "https://",
  ]) {
    const message = "COZE_BASE_URL: must be an https:// origin without path, query or user";
    t.strictSame(problemsOf({ COZE_BASE_URL: bad }), [message], bad);
  }
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
