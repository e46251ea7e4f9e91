import { conditionOf } from "../query.ts";
import type { AuditFilter, ChainPoint, Page } from "../store.ts";

/** A statement and the values of its placeholders. */
export interface Query {
  /** Under which a connection keeps it prepared; absent: it is planned each time. */
  readonly name?: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

const columns = `position, stream, seq, segment, time, kind, request_id, caller, operation, api_app_id, outcome,
  closes_stream, closes_seq, logids, text, hash, credential_id, owner, previous_owner`;

/** The bounds of positions, numbers and times, also in rows that somebody forged. */
const lowest = "-9223372036854775808";
const highest = "9223372036854775807";
const dayMs = 86_400_000;

/** The start of a statement over `streams`: jumps from one to the next by the primary key; the last one is NULL. */
export const eachStream = `RECURSIVE streams AS (
    (SELECT stream FROM audit_record ORDER BY stream LIMIT 1)
    UNION ALL
    SELECT (SELECT r.stream FROM audit_record AS r WHERE r.stream > s.stream ORDER BY r.stream LIMIT 1)
    FROM streams AS s WHERE s.stream IS NOT NULL
  )`;

/**
 * The months in which rows of a time are: that of a row can be a later one than its time says, after a clock was set
 * back. Each month is looked into by its index over the time.
 */
export function monthsQuery({ from, to }: AuditFilter): Query {
  return {
    text: `SELECT segment
      FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid,
        LATERAL replace(right(part.relname, 7), '_', '-') AS segment,
        LATERAL (
          SELECT FROM audit_record AS r WHERE r.segment = segment.segment AND time >= $1 AND time < $2
          ORDER BY time LIMIT 1
        ) AS found
      WHERE inhparent = 'audit_record'::regclass`,
    values: [from ?? lowest, to ?? highest],
  };
}

/**
 * See AuditStore.find.
 * @param months to look into, all when undefined: in a month without a row that matches, the server would read all of
 * the rows in the order of positions to find that out.
 */
export function findQuery(filter: AuditFilter, page: Page, months: readonly string[] | undefined): Query {
  const { sql, values } = conditionOf(filter, page, (logid) => `logids @> ARRAY[${logid}::text]`);
  const key = matchesFew(filter, page) ? "position + 0" : "position";
  const order = page.order === "newest_first" ? "DESC" : "ASC";
  const within = months ? `AND segment = ANY ($${values.length + 2})` : "";
  return {
    text: `SELECT ${columns} FROM audit_record WHERE ${sql} ${within}
      ORDER BY ${key} ${order} LIMIT $${values.length + 1}`,
    values: [...values, page.limit, ...(months ? [months] : [])],
  };
}

/**
 * Whether sorting what matches is less work than reading rows in the order of positions until enough of them match. A
 * later page of a time goes on in the middle of what matches, so there the order is right again.
 */
function matchesFew({ request_id, logid, from = 0, to = Infinity }: AuditFilter, page: Page): boolean {
  const start = page.order === "newest_first" ? page.before : page.after;
  return request_id !== undefined || logid !== undefined || (start === undefined && to - from <= dayMs);
}

/** See AuditStore.chain. */
export function chainQuery(after: ChainPoint | undefined, limit: number): Query {
  const { stream, seq, position = lowest } = after ?? { stream: "", seq: lowest };
  return {
    text: `SELECT ${columns} FROM audit_record WHERE (stream, seq, position) > ($1, $2, $3)
      ORDER BY stream, seq, position LIMIT $4`,
    values: [stream, seq, position, limit],
  };
}

/** See AuditStore.heads. */
export const headsQuery: Query = {
  text: `WITH ${eachStream}
    SELECT head.* FROM streams AS s CROSS JOIN LATERAL (
      SELECT ${columns} FROM audit_record WHERE stream = s.stream ORDER BY seq DESC, position DESC LIMIT 1
    ) AS head
    ORDER BY stream`,
  values: [],
};

/** See AuditStore.unfinished. */
export function unfinishedQuery(stream: string, settledTo: number): Query {
  return {
    text: `SELECT ${columns} FROM audit_record AS a
      WHERE stream = $1 AND seq > $2 AND kind = 'attempt' AND NOT EXISTS (
        SELECT FROM audit_record AS c WHERE c.closes_stream = $1 AND c.closes_seq > $2 AND c.closes_seq = a.seq
      )
      ORDER BY seq, position`,
    values: [stream, settledTo],
  };
}
