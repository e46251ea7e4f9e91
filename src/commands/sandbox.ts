import { randomBytes } from "node:crypto";
import { inspect, parseArgs } from "node:util";
import { ConfigError } from "../config/config.ts";
import { type Running, type Terminal, UsageError } from "./command.ts";

/** `sandbox [--port N] [--token T] [--host H]`: only the local Coze, on loopback. The default port is a free one. */
export async function sandbox(args: readonly string[], { out }: Terminal): Promise<Running> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: "0" },
      host: { type: "string", default: "127.0.0.1" },
      token: { type: "string" },
    },
  });
  if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
    throw new UsageError("--port must be a port number");
  }
  const token = values.token ?? `sat_sandbox_${randomBytes(24).toString("hex")}`;
  const { buildSandbox } = await import("../sandbox/coze.ts");
  const app = buildSandbox({ tokens: new Map([[token, "all"]]) });
  const url = await app
    .listen({ host: values.host, port: Number(values.port) })
    .catch(async (error: Error) => {
      await app.close();
      throw new ConfigError([`--host, --port: ${error.message}`]);
    });
  out(`local Coze  ${url}\ntoken       ${token}\nfaults      POST ${url}/_sandbox/faults\n`);
  return {
    stop: () => app.close(),
    stopWithinMs: 5_000,
    onFatal: (error) => out(`${inspect(error)}\n`),
  };
}
