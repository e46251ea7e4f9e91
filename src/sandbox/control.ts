import type { FastifyInstance, FastifyReply } from "fastify";
import type { RecordedCall } from "./calls.ts";
import { parseFaults } from "./fault.ts";
import type { FaultQueue } from "./fault-queue.ts";
import { isObject } from "./input.ts";
import type { OAuthDesk } from "./oauth.ts";
import { describe } from "./operations.ts";
import type { State } from "./state.ts";

/** What the control routes and in-process tests see and steer. */
export interface Sandbox {
  readonly calls: RecordedCall[];
  readonly faults: FaultQueue;
  readonly state: State;
  /** Mints tokens, and knows which are valid. */
  readonly oauth: OAuthDesk;
}

/** The routes under /_sandbox: faults, recorded calls, state, and a callback receiver. None needs a token. */
export function control(sandbox: Sandbox) {
  const { calls, faults, state } = sandbox;
  return async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler((error: Error, _, reply) => reply.code(400).send({ error: error.message }));
    app.setNotFoundHandler((_, reply) => reply.code(404).send({ error: "no such control route" }));

    app.post("/faults", async (request) => {
      faults.add(...parseFaults(json(request.body)));
      return { faults: faults.list() };
    });
    app.get("/faults", async () => ({ faults: faults.list() }));
    app.delete("/faults", async (_, reply) => {
      faults.clear();
      return noContent(reply);
    });

    app.get("/calls", async () => ({ calls }));
    app.delete("/calls", async (_, reply) => {
      calls.length = 0;
      return noContent(reply);
    });

    app.get("/state", async () => ({
      apps: [...state.apps.values()].map((each) => ({
        ...describe(each),
        event_types: [...each.events.keys()],
      })),
    }));
    app.delete("/state", async (_, reply) => {
      state.apps.clear();
      return noContent(reply);
    });

    app.post("/callback", async (request) => {
      const body = json(request.body);
      const event = isObject(body) ? body["event"] : undefined;
      return { challenge: isObject(event) ? event["challenge"] : undefined };
    });
  };
}

function json(body: unknown): unknown {
  return JSON.parse(String(body));
}

function noContent(reply: FastifyReply): FastifyReply {
  return reply.code(204).send();
}
