import { callerIdPattern } from "../../callers/key.ts";
import { apiAppIdPattern } from "../../operations/schemas.ts";
import { UsageError } from "../command.ts";

const appIdRule = new RegExp(apiAppIdPattern);

/** The id of a caller that a flag must have. */
export function callerIn(flag: string, value: string | undefined): string {
  if (value !== undefined && callerIdPattern.test(value)) return value;
  throw new UsageError(`${flag} must name a caller: 1 to 63 of a-z, 0-9 and -, with no - at either end`);
}

/** The id of a callback app that `--api-app-id` must have. */
export function appIn(value: string | undefined): string {
  if (value !== undefined && appIdRule.test(value)) return value;
  throw new UsageError("--api-app-id must be the id of a callback app: 1 to 64 of A-Z, a-z, 0-9, _ and -");
}
