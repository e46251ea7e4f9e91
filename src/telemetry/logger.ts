import { type DestinationStream, type Logger, pino } from "pino";

/** Anything that looks like a caller key or a Coze token (FACTS d), wherever it stands, inside a longer word too. */
const credentials = /(cgw_[a-z0-9-]{1,63}|pat|sat|czs|czu|cztei)_[A-Za-z0-9_-]{16,}/g;

/** The text with everything that looks like a credential replaced. */
export function redactCredentials(text: string): string {
  return text.replace(credentials, "$1_[redacted]");
}

/** What is logged of an error: its kind, code and stack, never its other fields, which can hold headers or bodies. */
export function serializeError(error: unknown): {
  type: string;
  code: string | undefined;
  stack: string | undefined;
} {
  if (!(error instanceof Error)) return { type: typeof error, code: undefined, stack: undefined };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return { type: error.name, code, stack: error.stack };
}

/** How much is logged, where it goes, and what is taken out before. */
export interface LoggerOptions {
  readonly level: string;
  /** Should be a redacting one. */
  readonly destination: DestinationStream;
}

/** JSON leaves these as they are, but some readers end a line at them or obey them; escaped they mean the same. */
function escapeUnprintable(line: string): string {
  return line.replace(/[^\x20-\x7e\n]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * The destination with two nets before it: known secrets by value, unknown ones by look. All that comes out is ASCII.
 * @param redact takes the known ones out of a finished line.
 */
export function redacting(
  destination: DestinationStream,
  redact: (line: string) => string,
): DestinationStream {
  return { write: (line) => void destination.write(escapeUnprintable(redactCredentials(redact(line)))) };
}

/** A logger of JSON lines. */
export function createLogger({ level, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
    },
    destination,
  );
}

/** Standard output: one JSON line each, or lines for people when it is a terminal. Written at once, so none is lost. */
export async function standardOutput(isTerminal: boolean): Promise<DestinationStream> {
  if (!isTerminal) return pino.destination({ dest: 1, sync: true });
  const { default: pretty } = await import("pino-pretty");
  return pretty({ sync: true, timestampKey: "ts", translateTime: "HH:MM:ss.l", singleLine: true });
}
