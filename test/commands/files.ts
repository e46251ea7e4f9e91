import { join } from "node:path";
import { mintKey } from "../../src/callers/key.ts";
import { ConfigError } from "../../src/config/config.ts";
import { callersYaml, token } from "../helpers/gateway.ts";

/** A terminal for a command under test, and all that the command has printed. */
export function terminal(environment: NodeJS.ProcessEnv = {}) {
  let printed = "";
  return {
    environment,
    isTTY: false,
    out: (text: string) => {
      printed += text;
    },
    printed: () => printed,
  };
}

/** Good files in a folder of their own, and the least environment that names them. */
export function files(t: Pick<typeof import("tap").t, "testdir">, contents: Record<string, string> = {}) {
  const key = mintKey("tester");
  const folder = t.testdir({ token, "callers.yaml": callersYaml([{ id: "tester", key }]), ...contents });
  const environment: NodeJS.ProcessEnv = {
    HOST: "127.0.0.1",
    PORT: "0",
    ADMIN_PORT: "0",
    COZE_TOKEN_FILE: join(folder, "token"),
    CALLERS_FILE: join(folder, "callers.yaml"),
    AUDIT_STORE: `sqlite:${join(folder, "audit.db")}`,
    LOG_LEVEL: "error",
    DRAIN_DELAY_MS: "0",
  };
  return { folder, key, environment };
}

/** The mistakes that the command is refused with; empty when it is not. */
export async function problemsOf(command: Promise<unknown>): Promise<readonly string[]> {
  try {
    await command;
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
