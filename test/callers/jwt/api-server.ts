import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeProtectedHeader, jwtVerify } from "jose";
import type { Teardown } from "../../helpers/gateway.ts";
import type { SigningKey } from "./tokens.ts";

/** An authority made for one test, and a certificate by it for 127.0.0.1. */
export interface Authority {
  readonly folder: string;
  /** Path of the authority's certificate. */
  readonly caFile: string;
  readonly tls: { readonly key: Buffer; readonly cert: Buffer };
}

export function makeAuthority(t: Teardown): Authority {
  const folder = mkdtempSync(join(tmpdir(), "authority-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=test-ca",
  );
  openssl("req", ...newKey, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=kubernetes");
  writeFileSync(join(folder, "san"), "subjectAltName=IP:127.0.0.1\n");
  const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
  openssl("x509", "-req", "-in", "server.csr", ...by, "-days", "2", "-extfile", "san", "-out", "server.pem");
  const read = (name: string) => readFileSync(join(folder, name));
  return {
    folder,
    caFile: join(folder, "ca.pem"),
    tls: { key: read("server.key"), cert: read("server.pem") },
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What of a Kubernetes API server callers' tokens need. */
export interface ApiServer {
  readonly url: string;
  readonly jwksUri: string;
  /** Its signing keys, to be changed by tests. */
  keys: SigningKey[];
  /** Subjects whose tokens it does not take any more, as of a deleted pod. */
  readonly gone: Set<string>;
  /** Answers everything from now on, badly as a rule; undefined ends that. */
  behave: Handler | undefined;
  /** The Authorization headers of all requests so far. */
  readonly seen: (string | undefined)[];
  readonly requests: () => number;
  readonly stop: () => Promise<void>;
}

/**
 * Runs an API server: `/openid/v1/jwks` and TokenReview as Kubernetes does them.
 * @param options.bearer what callers have to present; anybody may ask when undefined. `port` is a free one by default.
 */
export async function startApiServer(
  t: Teardown,
  options: { tls?: Authority["tls"]; bearer?: string; port?: number; keys?: SigningKey[] } = {},
): Promise<ApiServer> {
  const seen: (string | undefined)[] = [];
  const serve: Handler = (request, response) => {
    seen.push(request.headers.authorization);
    if (api.behave) api.behave(request, response);
    else void answer(api, options.bearer, request, response);
  };
  const server = options.tls ? createTlsServer(options.tls, serve) : createServer(serve);
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `${options.tls ? "https" : "http"}://127.0.0.1:${port}`;
  const stop = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  t.teardown(stop);
  const api: ApiServer = {
    url,
    jwksUri: `${url}/openid/v1/jwks`,
    keys: options.keys ?? [],
    gone: new Set(),
    behave: undefined,
    seen,
    requests: () => seen.length,
    stop,
  };
  return api;
}

async function answer(
  api: ApiServer,
  bearer: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const reply = (status: number, body: unknown, type = "application/json") =>
    response.writeHead(status, { "content-type": type }).end(JSON.stringify(body));
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  if (bearer !== undefined && request.headers.authorization !== `Bearer ${bearer}`)
    return void reply(403, { kind: "Status", status: "Failure", reason: "Forbidden", code: 403 });
  const call = `${request.method} ${request.url}`;
  if (call === "GET /openid/v1/jwks") {
    // As a real API server negotiates it.
    if (!/application\/jwk-set\+json|\*\/\*/.test(request.headers.accept ?? "*/*"))
      return void reply(406, { kind: "Status", status: "Failure", reason: "NotAcceptable", code: 406 });
    return void reply(200, { keys: api.keys.map(({ jwk }) => jwk) }, "application/jwk-set+json");
  }
  if (call !== "POST /apis/authentication.k8s.io/v1/tokenreviews") return void reply(404, { kind: "Status" });
  const { spec, ...rest } = JSON.parse(Buffer.concat(chunks).toString());
  reply(201, { ...rest, metadata: {}, spec, status: await statusOf(api, spec) });
}

async function statusOf(api: ApiServer, spec: { token: string; audiences: string[] }): Promise<unknown> {
  const { kid } = decodeProtectedHeader(spec.token);
  const key = api.keys.find((each) => each.kid === kid);
  const invalid = { user: {}, error: "[invalid bearer token, token lookup failed]" };
  if (!key) return invalid;
  try {
    const { payload } = await jwtVerify(spec.token, key.publicKey, { audience: spec.audiences });
    const { sub = "", aud = [] } = payload;
    if (api.gone.has(sub)) return invalid;
    return {
      authenticated: true,
      user: { username: sub, uid: "u-1", groups: ["system:serviceaccounts"] },
      audiences: spec.audiences.filter((audience) => aud.includes(audience)),
    };
  } catch {
    return invalid;
  }
}
