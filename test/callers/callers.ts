import type { OwnersOf } from "../../src/callers/authorize.ts";
import { type Caller, callersFile } from "../../src/callers/callers-file.ts";

/** A caller `me` with these grants, as they stand in a callers file. */
export function callerWith(...grants: readonly object[]): Caller {
  const [caller] = callersFile.parse({ callers: [{ id: "me", grants }] }).callers;
  if (!caller) throw new Error("no caller");
  return caller;
}

/** Owners by app, and how often they were asked for. */
export function owners(byApp: Readonly<Record<string, string>>): {
  readonly ownersOf: OwnersOf;
  asked: number;
} {
  const counted = {
    asked: 0,
    ownersOf: async (ids: readonly string[]) => {
      counted.asked += 1;
      return new Map(Object.entries(byApp).filter(([id]) => ids.includes(id)));
    },
  };
  return counted;
}
