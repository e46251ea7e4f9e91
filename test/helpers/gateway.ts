import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { hashKey, mintKey } from "../../src/callers/key.ts";
import { loadConfig } from "../../src/config/config.ts";
import { type Gateway, openGateway } from "../../src/gateway.ts";
import { permissions } from "../../src/operations/registry.ts";
import { buildSandbox } from "../../src/sandbox/coze.ts";

/** What a test needs of tap. */
export interface Teardown {
  teardown(handler: () => unknown): void;
}

export interface TestGrant {
  readonly permissions: readonly string[];
  readonly api_app_ids: "all" | "own" | readonly string[];
  readonly app_types?: readonly string[];
  readonly event_types?: readonly string[];
}

export interface TestCaller {
  readonly id: string;
  readonly key: string;
  readonly grants?: readonly TestGrant[];
  readonly expiresAt?: string;
  readonly identities?: readonly object[];
  readonly rateLimits?: Readonly<Record<string, string>>;
  readonly weight?: number;
}

export interface TestGateway {
  readonly gateway: Gateway;
  /** Where it listens, such as `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly port: number;
  /** The key of the caller `tester`, who may do everything. */
  readonly key: string;
  /** Every line logged so far, parsed. */
  readonly lines: () => Record<string, unknown>[];
  /** Everything logged so far, as text. */
  readonly text: () => string;
  /** Folder of its own with the files `token` and `callers.yaml`. */
  readonly folder: string;
  /** One call as `tester`, with a JSON body when given. */
  readonly call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<TestReply>;
}

export interface TestReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body, taken on trust: a reply without a field fails the test that looks at it. */
  readonly body: ReplyBody;
}

export interface ReplyBody {
  readonly code: number;
  readonly msg: string;
  readonly data: {
    readonly id: string;
    readonly verify_token: string;
    readonly items: readonly Record<string, string>[];
    readonly has_more: boolean;
    readonly next_page_token: string;
  };
  readonly detail: { readonly logid: string };
  readonly gateway: {
    readonly error: string;
    readonly request_id: string;
    readonly attempts: number;
    readonly stopped: string;
    readonly outcome: string;
    readonly issues: readonly { readonly path: string; readonly message: string }[];
  };
}

export const token = "sat_TESTTOKEN0123456789abcdefghijklmnop";

/** Runs the sandbox on a free port; it takes `token` with all permissions, and other tokens when given. */
export async function startSandbox(
  t: Teardown,
  tokens: ReadonlyMap<string, ReadonlySet<string> | "all"> = new Map(),
) {
  const app = buildSandbox({ tokens: new Map([[token, "all" as const], ...tokens]) });
  t.teardown(() => app.close());
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return { url, sandbox: app.sandbox };
}

/** Runs a whole gateway, files and sockets included, in front of `cozeUrl`. */
export async function startGateway(
  t: Teardown,
  cozeUrl: string,
  environment: NodeJS.ProcessEnv = {},
  callers: readonly TestCaller[] = [],
  issuers: readonly object[] = [],
): Promise<TestGateway> {
  const folder = await mkdtemp(join(tmpdir(), "gateway-test-"));
  const tester: TestCaller = { id: "tester", key: mintKey("tester") };
  await writeFile(join(folder, "token"), token);
  await writeFile(join(folder, "callers.yaml"), callersYaml([tester, ...callers], issuers));
  const config = loadConfig({
    HOST: "127.0.0.1",
    COZE_BASE_URL: cozeUrl,
    COZE_TOKEN_FILE: join(folder, "token"),
    CALLERS_FILE: join(folder, "callers.yaml"),
    // A busy machine is no reason to fail; tests of the limit set it themselves.
    AUDIT_TIMEOUT_MS: "60000",
    // Tests of the limits set their own.
    RATE_LIMIT_READ: "unlimited",
    RATE_LIMIT_WRITE: "unlimited",
    RATE_LIMIT_DESTRUCTIVE: "unlimited",
    RATE_LIMIT_UNAUTHENTICATED: "unlimited",
    AUDIT_STORE: `sqlite:${join(folder, "audit.db")}`,
    LOG_LEVEL: "debug",
    ...environment,
  });
  const written: string[] = [];
  const gateway = await openGateway(config, { write: (line) => void written.push(line) });
  t.teardown(async () => {
    await gateway.close();
    await rm(folder, { recursive: true });
  });
  const url = await gateway.app.listen({ host: "127.0.0.1", port: 0 });
  return {
    gateway,
    url,
    port: Number(new URL(url).port),
    key: tester.key,
    folder,
    lines: () => written.map((line) => JSON.parse(line)),
    text: () => written.join(""),
    call: (method, path, body, headers) =>
      call(url + path, method, { authorization: `Bearer ${tester.key}`, ...headers }, body),
  };
}

/** A callers file in which callers without `grants` may do everything. */
export function callersYaml(callers: readonly TestCaller[], issuers: readonly object[] = []): string {
  const everything = [{ permissions: [...permissions], api_app_ids: "all" as const }];
  const file = {
    issuers,
    callers: callers.map(({ id, key, grants = everything, expiresAt, identities, rateLimits, weight }) => ({
      id,
      keys: [{ sha256: hashKey(key), ...(expiresAt !== undefined && { expires_at: expiresAt }) }],
      grants,
      ...(identities && { identities }),
      ...(rateLimits && { rate_limits: rateLimits }),
      ...(weight !== undefined && { weight }),
    })),
  };
  // The gateway refuses YAML aliases, which two callers with the same grants would get.
  return stringify(file, { aliasDuplicateObjects: false });
}

/** One HTTP call on a fresh connection. */
export async function call(
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<TestReply> {
  const reply = await fetch(url, {
    method,
    headers: {
      connection: "close",
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await reply.text();
  return { status: reply.status, headers: reply.headers, text, body: parse(text) as ReplyBody };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
