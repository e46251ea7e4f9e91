import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { build } from "../app.ts";
import { StoreConnection } from "../audit/connection.ts";
import { StoreError } from "../audit/store.ts";
import { Issuers } from "../callers/jwt/issuers.ts";
import { keyLifeOf } from "../callers/key-life.ts";
import { emptyPolicy } from "../callers/policy.ts";
import { variables } from "../config/variables.ts";
import { CozeToken } from "../coze/token/token.ts";
import { Secret } from "../secret.ts";
import { wire } from "../wire.ts";
import type { Terminal } from "./command.ts";

/** What a gateway that only describes itself is told: nobody may call, it is not stopping, and nothing is recorded. */
export const idle = {
  callers: {
    policy: () => emptyPolicy,
    issuers: new Issuers(),
    issuersInTrouble: () => 0,
    keyLife: () => keyLifeOf([], Date.now()),
  },
  draining: () => false,
  stream: "none",
  connection: new StoreConnection(() => Promise.reject(new StoreError("there is no store"))),
  output: { write: () => undefined },
};

/** The document in both forms, generated from the routes as they are registered. */
export async function describeApi(): Promise<{ json: string; yaml: string }> {
  const config = Object.freeze(variables.parse({}));
  const token = await CozeToken.open({ value: new Secret("not-a-token") });
  const { parts, closeParts } = wire(config, {
    token,
    log: pino({ enabled: false }),
    ...idle,
  });
  const app = await build(config, parts);
  await app.ready();
  const json = `${JSON.stringify(app.swagger(), null, 2)}\n`;
  const yaml = app.swagger({ yaml: true });
  await app.close();
  await closeParts();
  return { json, yaml };
}

/** `openapi [--out FOLDER]`: writes openapi.json and openapi.yaml, by default into ./openapi. */
export async function openapi(args: readonly string[], { out }: Terminal): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { out: { type: "string", default: "openapi" } } });
  const folder = values.out;
  const { json, yaml } = await describeApi();
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "openapi.json"), json);
  await writeFile(join(folder, "openapi.yaml"), yaml);
  out(`wrote ${join(folder, "openapi.json")} and ${join(folder, "openapi.yaml")}\n`);
}
