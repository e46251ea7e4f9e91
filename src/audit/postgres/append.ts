/** Key of the advisory lock that orders appends over all replicas, and everything that changes partitions. */
export const appendLock = "7306086967182516589";

/** What differs between the versions of `audit_append`. */
interface AppendOptions {
  readonly create: "CREATE" | "CREATE OR REPLACE";
  /** The columns that it writes. */
  readonly columns: string;
  /** What it writes there, of one of the rows. */
  readonly values: string;
}

/**
 * Stores the rows of one stream, which follow each other, or none. The lock is held until the commit can be seen, so
 * positions are given in the order of commits. AU001: the record before them is gone; AU002: another one has its place.
 * A plan that was made while a month had few rows, and would read all of them, must not last when it has many.
 */
export function appendFunction({ create, columns, values }: AppendOptions): string {
  return `
${create} FUNCTION audit_append(batch json, after_seq bigint, after_hash text) RETURNS void
  LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
  rows audit_record[] := ARRAY(SELECT r FROM json_populate_recordset(NULL::audit_record, batch) AS r);
  own text := (rows[1]).stream;
  first bigint := (rows[1]).seq;
  last bigint := first + cardinality(rows) - 1;
BEGIN
  PERFORM pg_advisory_xact_lock(${appendLock});
  PERFORM audit_ensure_segment(s.segment) FROM (SELECT DISTINCT segment FROM unnest(rows)) AS s;
  IF after_seq IS NOT NULL AND NOT EXISTS (
    SELECT FROM audit_record AS a WHERE a.stream = own AND a.seq = after_seq AND a.hash = after_hash
  ) THEN
    RAISE EXCEPTION '%:% is not there as it was stored', own, after_seq USING ERRCODE = 'AU001';
  END IF;
  IF EXISTS (
    SELECT FROM audit_record AS a JOIN unnest(rows) AS r ON r.stream = a.stream AND r.seq = a.seq
    WHERE a.stream = own AND a.seq BETWEEN first AND last AND a.hash <> r.hash
  ) THEN
    RAISE EXCEPTION 'another record has the place of one of %:% to %', own, first, last USING ERRCODE = 'AU002';
  END IF;
  INSERT INTO audit_record (${columns})
  SELECT ${values}
  FROM unnest(rows) ORDER BY seq
  ON CONFLICT DO NOTHING;
END $$;
REVOKE EXECUTE ON FUNCTION audit_append FROM PUBLIC;`;
}
