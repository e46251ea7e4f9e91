/** What an `audit` or `owners` command found wrong, or could not do. The message is all that a person needs: no stack, no usage. */
export class AuditFailure extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AuditFailure";
  }
}
