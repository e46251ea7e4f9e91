/** The process as a command sees it, so that tests can stand in for it. */
export interface Terminal {
  readonly environment: NodeJS.ProcessEnv;
  /** Whether standard output is a terminal that a person reads. */
  readonly isTTY: boolean;
  /** Prints; what it may give can be waited for by those who print much. */
  readonly out: (text: string) => void | Promise<void>;
  /** All of standard input, for what must not stand on a command line. */
  readonly input?: () => Promise<string>;
}

/** What a command leaves running, and how to stop it. */
export interface Running {
  /** Finishes what is under way; called once. `atOnce` leaves out the drain delay, when serving on is not safe. */
  readonly stop: (atOnce: boolean) => Promise<void>;
  /** The most that `stop` should take, in ms. */
  readonly stopWithinMs: number;
  /** Told of an error that nobody caught, before the process ends. */
  readonly onFatal: (error: unknown) => void;
}

/** Wrong words on the command line; the message says what would be right. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** A command that came to a bad end after it has printed what it had to say; the message is one line for a person. */
export class CommandFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CommandFailure";
  }
}
