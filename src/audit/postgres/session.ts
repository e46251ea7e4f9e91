import type { ClientConfig } from "pg";

/** How long each kind of connection waits, in ms, and what it asks of the server. */
const sessions = {
  /** A network that swallows everything must not hold up a request for more than some seconds. */
  writer: {
    connectionTimeoutMillis: 2_000,
    statement_timeout: 2_000,
    query_timeout: 3_000,
    lock_timeout: 1_000,
    options: "-c synchronous_commit=on",
  },
  reader: {
    connectionTimeoutMillis: 5_000,
    statement_timeout: 30_000,
    query_timeout: 32_000,
    lock_timeout: 5_000,
    options: "-c default_transaction_read_only=on",
  },
  /** A request waits for it. */
  lookUp: {
    connectionTimeoutMillis: 2_000,
    statement_timeout: 2_000,
    query_timeout: 3_000,
    lock_timeout: 1_000,
    options: "-c default_transaction_read_only=on",
  },
  /** Setting up, and bringing the schema up to date: as long as it takes, as giving up would only mean to begin anew. */
  migration: {
    connectionTimeoutMillis: 2_000,
    statement_timeout: 0,
    query_timeout: 0,
    lock_timeout: 60_000,
    options: "-c synchronous_commit=on",
  },
  /** Long work of its own: removing months. */
  maintenance: {
    connectionTimeoutMillis: 2_000,
    statement_timeout: 600_000,
    query_timeout: 605_000,
    lock_timeout: 60_000,
    options: "-c synchronous_commit=on",
  },
} as const;

/** What a connection is for. */
export type Session = keyof typeof sessions;

const everywhere = [
  // Compiling takes longer than these statements do.
  "jit=off",
  // A statement that waited for a lock must see what was committed meanwhile.
  "default_transaction_isolation=read\\ committed",
  // The server is to notice within a minute that a machine is gone: until then its process counts as alive.
  "tcp_keepalives_idle=30",
  "tcp_keepalives_interval=10",
  "tcp_keepalives_count=3",
]
  .map((setting) => `-c ${setting}`)
  .join(" ");

/** The part of a connection's configuration that depends on what it is for. */
export function sessionConfig(session: Session): ClientConfig & { readonly options: string } {
  const { options, ...timeouts } = sessions[session];
  return {
    ...timeouts,
    idle_in_transaction_session_timeout: timeouts.statement_timeout,
    application_name: `coze-gateway ${session}`,
    options: `${everywhere} ${options}`,
    keepAlive: true,
    keepAliveInitialDelayMillis: 2_000,
  };
}
