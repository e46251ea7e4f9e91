import { randomInt } from "node:crypto";
import type { Numbered } from "./page.ts";
import { unknownApp } from "./reply.ts";

/** One subscription of an app. */
export interface Subscription extends Numbered {
  readonly eventType: string;
}

/** One callback app and what it is subscribed to. */
export interface CallbackApp extends Numbered {
  readonly id: string;
  readonly appType: "normal" | "connector";
  readonly connectorId: string | undefined;
  readonly verifyToken: string;
  name: string;
  callbackUrl: string | undefined;
  readonly events: Map<string, Subscription>;
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Everything that the local Coze remembers: one account's callback apps. */
export class State {
  readonly apps = new Map<string, CallbackApp>();
  #seq = 0;

  /** The app, or a refusal with code 4200. */
  app(id: string): CallbackApp {
    const app = this.apps.get(id);
    if (app === undefined) throw unknownApp(id);
    return app;
  }

  /** Adds an app with a new id and a new verify token. */
  create(given: Pick<CallbackApp, "appType" | "connectorId" | "name">): CallbackApp {
    const app: CallbackApp = {
      ...given,
      seq: this.#next(),
      id: newId(),
      verifyToken: Array.from({ length: 60 }, () => alphabet[randomInt(alphabet.length)]).join(""),
      callbackUrl: undefined,
      events: new Map(),
    };
    this.apps.set(app.id, app);
    return app;
  }

  /** Adds a subscription; one that is there already keeps its place. */
  subscribe(app: CallbackApp, eventType: string): void {
    if (!app.events.has(eventType)) app.events.set(eventType, { seq: this.#next(), eventType });
  }

  #next(): number {
    this.#seq += 1;
    return this.#seq;
  }
}

/** 19 digits, beyond 2^53 like Coze's own (FACTS (f)); random, so that no test can come to rely on a value. */
function newId(): string {
  return `75${digits(8)}${digits(9)}`;
}

function digits(count: number): string {
  return String(randomInt(10 ** count)).padStart(count, "0");
}
