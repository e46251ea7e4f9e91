import { ErrorReply, SocketClosedUnexpectedlyError } from "@redis/client";
import t from "tap";
import { reasonOf, Trouble } from "../../../src/callers/rate-limit/trouble.ts";

t.test("a reason names the trouble, and quotes nothing", async (t) => {
  const secret = "CANARYpassword";
  for (const [cause, reason] of [
    [new Trouble("no answer in time"), "no answer in time"],
    [Object.assign(new Error(`connect to ${secret}`), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    [new ErrorReply("WRONGPASS invalid username-password pair or user is disabled."), "WRONGPASS"],
    [new ErrorReply("READONLY You can't write against a read only replica."), "READONLY"],
    [new ErrorReply(`ERR unknown command 'HELLO', with args beginning with: 'AUTH' '${secret}'`), "ERR"],
    [new ErrorReply(secret), "ErrorReply"],
    [new SocketClosedUnexpectedlyError(), "SocketClosedUnexpectedlyError"],
    [Object.assign(new TypeError(secret), { code: 7 }), "TypeError"],
    [secret, "string"],
    [undefined, "undefined"],
  ] as const) {
    t.equal(reasonOf(cause), reason);
  }
});
