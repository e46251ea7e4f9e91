import Fastify, { type RouteHandlerMethod } from "fastify";
import t from "tap";
import { verifyCallbackUrl } from "../../src/sandbox/challenge.ts";
import { listen, refusal } from "./helper.ts";

interface Challenge {
  readonly header: Record<string, unknown>;
  readonly event: { readonly challenge: string };
}

/** A receiver that answers the challenge this way; gives its URL. */
async function receiver(t: Parameters<typeof listen>[0], handler: RouteHandlerMethod): Promise<string> {
  const app = Fastify({ forceCloseConnections: true });
  app.post("/hook", handler);
  return `${await listen(t, app)}/hook`;
}

const refused = (msg: RegExp) => refusal(4000, msg);

t.test("the challenge is Coze's, and its echo is enough", async (t) => {
  let seen: Challenge | undefined;
  const url = await receiver(t, async (request) => {
    t.equal(request.headers["content-type"], "application/json");
    seen = request.body as Challenge;
    return { challenge: seen.event.challenge };
  });
  await verifyCallbackUrl(url, 3000);
  t.match(seen, {
    header: { event_type: "url_verification", event_id: /^[0-9a-f-]{36}$/, created_at: Number },
    event: { challenge: /^[0-9a-f-]{36}$/ },
  });
});

const failures: readonly (readonly [string, RouteHandlerMethod, RegExp])[] = [
  ["another challenge", async () => ({ challenge: "x" }), /does not echo/],
  ["no object", async () => "null", /does not echo/],
  ["no JSON", async () => "ok", /JSON/],
  ["an empty reply", async (_, reply) => reply.send(), /JSON/],
  ["no body at all", async (_, reply) => reply.code(204).send(), /HTTP status 204/],
  ["an error status", async (_, reply) => reply.code(500).send({}), /HTTP status 500/],
  ["a redirect", async (_, reply) => reply.redirect("/hook"), /redirect/],
  ["a reply too long", async () => "x".repeat(5000), /longer than 4096 bytes/],
];
for (const [name, handler, msg] of failures) {
  t.test(`${name} fails`, async (t) => {
    await t.rejects(verifyCallbackUrl(await receiver(t, handler), 3000), refused(msg));
  });
}

t.test("silence fails when the time is over", async (t) => {
  const url = await receiver(t, () => new Promise(() => {}));
  await t.rejects(
    verifyCallbackUrl(url, 20),
    refused(/^callback_url verification failed: challenge was not returned in time$/),
  );
});

t.test("a port where nobody listens fails", async (t) => {
  const app = Fastify();
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  await app.close();
  await t.rejects(verifyCallbackUrl(url, 3000), refused(/ECONNREFUSED/));
});
