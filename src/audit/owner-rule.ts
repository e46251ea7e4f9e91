/**
 * SQL of both stores: the owner of `api_app_id` that a row of `audit_record` speaks of; NULL when it speaks of none.
 * A create of before there were owners, or by a replica of that time, gives the app to its caller all the same. It is
 * part of schema 2, and so does not change.
 * @param row the alias of the row, or `NEW` in a trigger.
 */
export function ownerSaidBy(row: string): string {
  return `CASE
    WHEN ${row}.api_app_id IS NULL THEN NULL
    WHEN ${row}.kind = 'owner' THEN ${row}.owner
    WHEN ${row}.kind = 'outcome' AND ${row}.outcome = 'done'
      THEN coalesce(${row}.owner, CASE WHEN ${row}.operation = 'create_api_app' THEN ${row}.caller END)
  END`;
}

/**
 * The same: the owner that there must be for the row to have an effect, empty for nobody. So a create takes no app from
 * anybody, and of two operators who change an owner at once only one does.
 */
export function ownerExpectedBy(row: string): string {
  return `CASE WHEN ${row}.kind = 'owner' THEN coalesce(${row}.previous_owner, '') ELSE '' END`;
}
