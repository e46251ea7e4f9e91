import t from "tap";
import { variables } from "../../src/config/variables.ts";

/** What is wrong with the variables; empty when nothing is. */
const problemsOf = (given: Record<string, string>) =>
  (variables.safeParse(given).error?.issues ?? []).map(
    ({ path, message }) => `${path.join(".")}: ${message}`,
  );

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
    AUDIT_RETENTION_DAYS: [1, 36_500],
    AUDIT_TIMEOUT_MS: [50, 60_000],
  } as const;
  for (const [name, [lowest, highest]] of Object.entries(bounds)) {
    for (const good of [lowest, lowest + 1, highest]) {
      const config = variables.parse({ [name]: String(good) });
      t.equal(config[name as keyof typeof bounds], good, `${name}=${good}`);
    }
    const between = [`${name}: must be between ${lowest} and ${highest}`];
    t.strictSame(problemsOf({ [name]: String(highest + 1) }), between);
    if (lowest > 0) t.strictSame(problemsOf({ [name]: String(lowest - 1) }), between);
    for (const bad of ["-1", "1.5", "1e3", "0x10", " 5", "ten", "1234567890"]) {
      const problems = problemsOf({ [name]: bad });
      t.equal(problems.length, 1);
      t.match(problems[0], new RegExp(`^${name}: must be a whole number$`), `${name}=${bad}`);
    }
  }
});

t.test("words are taken from their lists", async (t) => {
  for (const level of ["debug", "info", "warn", "error"] as const) {
    t.equal(variables.parse({ LOG_LEVEL: level }).LOG_LEVEL, level);
  }
  t.strictSame(problemsOf({ LOG_LEVEL: "INFO" }), ["LOG_LEVEL: must be debug, info, warn or error"]);
  t.equal(variables.parse({ COZE_ALLOW_HTTP: "true" }).COZE_ALLOW_HTTP, true);
  t.strictSame(problemsOf({ COZE_ALLOW_HTTP: "1" }), ["COZE_ALLOW_HTTP: must be true or false"]);
  t.strictSame(problemsOf({ HOST: "localhost" }), ["HOST: must be an address, such as 127.0.0.1 or 0.0.0.0"]);
});

t.test("the base URL is an origin", async (t) => {
  const good = {
    "https://api.coze.com": "https://api.coze.com",
    "https://api.coze.com/": "https://api.coze.com",
    "https://API.coze.com:443": "https://api.coze.com",
    "https://api.coze.com:8443": "https://api.coze.com:8443",
  };
  for (const [given, origin] of Object.entries(good)) {
    t.equal(variables.parse({ COZE_BASE_URL: given }).COZE_BASE_URL, origin, given);
  }
  for (const bad of [
    "https://api.coze.com/v1",
    "https://api.coze.com?x=1",
    "https://api.coze.com/#x",
    "https://user@api.coze.com",
    `https://:secret@api.coze.com`,
    "ftp://api.coze.com",
    "file:///etc/passwd",
    "api.coze.com",
    "https://",
  ]) {
    const message = "COZE_BASE_URL: must be an https:// origin without path, query or user";
    t.strictSame(problemsOf({ COZE_BASE_URL: bad }), [message], bad);
  }
});

t.test("a file is named by at least one character", async (t) => {
  for (const name of ["COZE_TOKEN_FILE", "CALLERS_FILE", "AUDIT_STORE_PASSWORD_FILE"]) {
    t.strictSame(problemsOf({ [name]: "" }), [`${name}: must name a file`]);
    t.strictSame(problemsOf({ [name]: "x" }), []);
  }
});

t.test("the audit store is a file unless it is said otherwise", async (t) => {
  t.equal(variables.parse({}).AUDIT_STORE.path, "data/audit.db");
  t.equal(variables.parse({ AUDIT_STORE: "postgres://a@b/c" }).AUDIT_STORE.kind, "postgres");
  t.match(problemsOf({ AUDIT_STORE: "data/audit.db" }), [/^AUDIT_STORE: must be sqlite:<file> or postgres:/]);
});
