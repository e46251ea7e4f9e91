import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { bodyOf, record } from "./calls.ts";
import { control, type Sandbox } from "./control.ts";
import { FaultQueue } from "./fault-queue.ts";
import { OAuthDesk, oauthPaths, type RegisteredKey } from "./oauth.ts";
import { type SandboxOperation, sandboxOperations } from "./operations.ts";
import { performFault } from "./perform-fault.ts";
import { answerTo, badParameter, type HttpReply, newLogid, toReply, unknownPath } from "./reply.ts";
import { State } from "./state.ts";
import { authorize, type Tokens } from "./tokens.ts";

/** Who may call the local Coze, and its limits. */
export interface SandboxOptions {
  /** token -> permissions it holds; 'all' = every permission */
  readonly tokens: Tokens;
  /** kid -> public key of an OAuth app, for which tokens are minted; none unless given. */
  readonly oauthKeys?: ReadonlyMap<string, RegisteredKey>;
  /** Time for the callback URL to echo the challenge; 3000 ms as at Coze (FACTS (e)). */
  readonly challengeTimeoutMs?: number;
  /** How many calls are kept for GET /_sandbox/calls; the oldest goes first. */
  readonly maxRecordedCalls?: number;
}

/** Coze takes 15 MB (FACTS (c)). */
const bodyLimit = 15 * 1024 * 1024;

/**
 * A local Coze: the seven callback-app operations as documented (FACTS (f)), with faults on demand under /_sandbox and,
 * in-process, under `sandbox`. Listen on loopback only: the control routes ask for no token.
 */
export function buildSandbox(options: SandboxOptions): FastifyInstance & { readonly sandbox: Sandbox } {
  const { challengeTimeoutMs = 3000, maxRecordedCalls = 1000 } = options;
  const oauth = new OAuthDesk(options.tokens, options.oauthKeys);
  const sandbox: Sandbox = { calls: [], faults: new FaultQueue(), state: new State(), oauth };
  const app = Fastify({
    bodyLimit,
    exposeHeadRoutes: false,
    // A dripping or hung connection must not hold up close().
    forceCloseConnections: true,
    genReqId: () => newLogid(),
    frameworkErrors: refuseUnread,
  });
  // Whatever its content type says, a body is recorded as it came; the operation checks both.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body));
  app.setErrorHandler(refuseUnread);

  app.register(control(sandbox), { prefix: "/_sandbox" });
  for (const operation of sandboxOperations) {
    const { method, url } = operation;
    app.route({
      method,
      url,
      handler: (request, reply) => serve(request, reply, () => answer(request, operation)),
    });
  }
  for (const path of oauthPaths)
    app.post(path, (request, reply) => serve(request, reply, () => mint(request)));
  app.setNotFoundHandler((request, reply) => serve(request, reply, () => answer(request, undefined)));
  return Object.assign(app, { sandbox });

  async function serve(
    request: FastifyRequest,
    reply: FastifyReply,
    operate: () => Promise<HttpReply>,
  ): Promise<void> {
    record(sandbox.calls, request, maxRecordedCalls);
    const fault = sandbox.faults.take(request.method, pathOf(request));
    if (fault === undefined) send(reply, await operate());
    else await performFault(fault, reply, operate);
  }

  async function answer(
    request: FastifyRequest,
    operation: SandboxOperation | undefined,
  ): Promise<HttpReply> {
    try {
      if (operation === undefined) throw unknownPath(request.method, pathOf(request));
      const { authorization, "content-type": contentType = "" } = request.headers;
      authorize(oauth, authorization, operation.permission);
      const { api_app_id: apiAppId = "" } = request.params as { readonly api_app_id?: string };
      const query = request.query as Readonly<Record<string, unknown>>;
      const input = { apiAppId, query, contentType, body: bodyOf(request) };
      const data = await operation.run(sandbox.state, input, challengeTimeoutMs);
      return toReply({ code: 0, msg: "", data }, request.id);
    } catch (error) {
      return toReply(answerTo(error), request.id);
    }
  }

  function mint(request: FastifyRequest): Promise<HttpReply> {
    const { authorization, "content-type": contentType = "" } = request.headers;
    return oauth.answer(
      { host: request.host, authorization, contentType, body: bodyOf(request) },
      request.id,
    );
  }
}

/** A request that Fastify gives up on before any handler: a bad path, a body too large. */
function refuseUnread(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  send(reply, toReply(badParameter(error.message).answer, request.id));
}

function send(reply: FastifyReply, { status, headers, body }: HttpReply): void {
  reply.code(status).headers(headers).send(body);
}

function pathOf(request: FastifyRequest): string {
  return request.originalUrl.replace(/\?.*$/s, "");
}
