import type { StoredRow } from "../store.ts";

/** The columns of a record that are stored, in the order in which they are written. */
export const recordColumns = [
  "stream",
  "seq",
  "segment",
  "time",
  "kind",
  "request_id",
  "caller",
  "operation",
  "api_app_id",
  "outcome",
  "closes_stream",
  "closes_seq",
  "text",
  "hash",
  "credential_id",
  "owner",
  "previous_owner",
] as const satisfies readonly (keyof StoredRow)[];

/** What is selected of each row of `audit_record AS r` to make a `PackedRow`. */
export const packedColumns = `position, ${recordColumns.join(", ")},
  (SELECT json_group_array(logid) FROM audit_logid AS l WHERE l.position = r.position)`;

/** A row as it goes from thread to thread: without names, which would cost more than the values. The last is JSON. */
export type PackedRow = readonly [
  position: number,
  stream: string,
  seq: number,
  segment: string,
  time: number,
  kind: string,
  requestId: string | null,
  caller: string | null,
  operation: string | null,
  apiAppId: string | null,
  outcome: string | null,
  closesStream: string | null,
  closesSeq: number | null,
  text: string,
  hash: string,
  credentialId: string | null,
  owner: string | null,
  previousOwner: string | null,
  logids: string,
];

/** Gives the values of a row their names. */
export function unpack(row: PackedRow): StoredRow {
  return {
    position: row[0],
    stream: row[1],
    seq: row[2],
    segment: row[3],
    time: row[4],
    kind: row[5],
    request_id: row[6],
    caller: row[7],
    operation: row[8],
    api_app_id: row[9],
    outcome: row[10],
    closes_stream: row[11],
    closes_seq: row[12],
    text: row[13],
    hash: row[14],
    credential_id: row[15],
    owner: row[16],
    previous_owner: row[17],
    logids: JSON.parse(row[18]),
  };
}
