import type { ClientBase } from "pg";
import type { Link } from "../record.ts";
import { type Prunable, StoreError } from "../store.ts";
import { sqlStateOf } from "./error.ts";
import { eachStream } from "./queries.ts";

const segments = `SELECT segment, count(*) AS records FROM audit_record WHERE segment < $1
  GROUP BY segment ORDER BY segment`;

/** The last record of each stream in the months before one. */
const checkpoints = `WITH ${eachStream}
  SELECT gone.* FROM streams AS s CROSS JOIN LATERAL (
    SELECT stream, seq, hash FROM audit_record WHERE stream = s.stream AND segment < $1
    ORDER BY seq DESC, position DESC LIMIT 1
  ) AS gone
  ORDER BY gone.stream`;

/** See AuditStore.prunable. */
export async function findPrunable(client: ClientBase, before: string): Promise<Prunable | undefined> {
  const months = (await client.query<{ segment: string; records: number }>(segments, [before])).rows;
  if (months.length === 0) return undefined;
  return {
    segments: months.map(({ segment }) => segment),
    records: months.reduce((sum, { records }) => sum + records, 0),
    checkpoints: (await client.query<Link>(checkpoints, [before])).rows,
  };
}

/** See AuditStore.remove. Each month goes by itself: after a drop everybody else would wait until the last one. */
export async function removeSegments(client: ClientBase, segments: readonly string[]): Promise<number> {
  let removed = 0;
  for (const segment of segments.toSorted()) removed += await removeSegment(client, segment);
  return removed;
}

async function removeSegment(client: ClientBase, segment: string): Promise<number> {
  const drop = "SELECT audit_drop_segment($1) AS records";
  const { rows } = await client.query<{ records: number }>(drop, [segment]).catch((error: unknown) => {
    if (sqlStateOf(error) !== "42501") throw error;
    throw new StoreError(
      `this role may not remove records; run \`audit prune\` with the owner's role (${(error as Error).message})`,
      { permanent: true, cause: error },
    );
  });
  return rows.reduce((sum, { records }) => sum + records, 0);
}
