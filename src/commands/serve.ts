import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { DestinationStream } from "pino";
import { type Config, ConfigError, loadConfig } from "../config/config.ts";
import { variables } from "../config/variables.ts";
import { type Gateway, openGateway } from "../gateway.ts";
import { standardOutput } from "../telemetry/logger.ts";
import { version } from "../wire.ts";
import type { Running, Terminal } from "./command.ts";

/**
 * `serve [--sandbox]`: the gateway on both its ports, in front of Coze or of a built-in local one.
 * @throws {ConfigError} listing every mistake; nothing is left open then.
 */
export async function serve(args: readonly string[], terminal: Terminal): Promise<Running> {
  const { values } = parseArgs({ args: [...args], options: { sandbox: { type: "boolean" } } });
  const destination = await standardOutput(terminal.isTTY);
  return values.sandbox ? serveSandbox(terminal, destination) : serveCoze(terminal.environment, destination);
}

async function serveCoze(
  environment: NodeJS.ProcessEnv,
  destination: DestinationStream,
): Promise<ListeningGateway> {
  const config = loadConfig(environment);
  const gateway = await openGateway(config, destination);
  const { log } = gateway;
  const url = await listen(gateway, config);
  return {
    url,
    stop: async (atOnce) => {
      const delayMs = atOnce ? 0 : config.DRAIN_DELAY_MS;
      log.info({ event: "draining", delay_ms: delayMs }, "told to stop");
      gateway.drain();
      await sleep(delayMs);
      await gateway.close();
      log.info({ event: "stopped" }, "stopped");
    },
    stopWithinMs: config.DRAIN_DELAY_MS + config.REQUEST_TIMEOUT_MS + 5_000,
    onFatal: (err) => log.fatal({ event: "fatal", err }, "unexpected error, stopping"),
  };
}

interface ListeningGateway extends Running {
  readonly url: string;
}

async function serveSandbox(terminal: Terminal, destination: DestinationStream): Promise<Running> {
  refuseRealCoze(terminal.environment);
  // Development ware: not even loaded unless it was asked for.
  const { startDemo, demoGuide } = await import("../sandbox/demo.ts");
  const demo = await startDemo();
  try {
    // An empty variable counts as absent, so it must not take the place of a default.
    const given = Object.fromEntries(
      Object.entries(terminal.environment).filter(([, value]) => value !== ""),
    );
    const defaults = { HOST: "127.0.0.1", DRAIN_DELAY_MS: "0" };
    const gateway = await serveCoze({ ...defaults, ...given, ...demo.environment }, destination);
    terminal.out(demoGuide(gateway.url, demo));
    return { ...gateway, stop: (atOnce) => gateway.stop(atOnce).finally(demo.close) };
  } catch (error) {
    await demo.close();
    throw error;
  }
}

function refuseRealCoze(environment: NodeJS.ProcessEnv): void {
  const clashing = Object.keys(variables.shape).filter(
    (name) => environment[name] && /^(COZE_(BASE_URL|TOKEN|TOKEN_FILE|OAUTH_\w+)|CALLERS_FILE)$/.test(name),
  );
  if (clashing.length === 0) return;
  throw new ConfigError([
    `${clashing.join(", ")}: --sandbox brings its own; unset them, or leave --sandbox out`,
  ]);
}

async function listen({ app, admin, log, close }: Gateway, config: Config): Promise<string> {
  try {
    const adminUrl = await admin.listen({ host: config.HOST, port: config.ADMIN_PORT });
    const url = await app.listen({ host: config.HOST, port: config.PORT });
    const line = {
      event: "listening",
      url,
      admin_url: adminUrl,
      version,
      coze_base_url: config.COZE_BASE_URL,
    };
    log.info(line, "ready for callers and operators");
    return url;
  } catch (error) {
    await close();
    throw new ConfigError([`HOST, PORT or ADMIN_PORT: ${(error as Error).message}`]);
  }
}
