import fc from "fast-check";
import t from "tap";
import { GatewayError } from "../../../src/errors.ts";
import { pageToken, positionOf } from "../../../src/http/audit/page-token.ts";

const none = "is not a next_page_token of this list";
const other = "belongs to a list with other filters or in another order";

/** What is said of a token that is refused; undefined when it is taken. */
function refusalOf(token: string, scope: string): string | undefined {
  try {
    positionOf(token, scope);
    return undefined;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.error !== "invalid_request") throw error;
    const [issue] = error.details.issues ?? [];
    if (issue?.path !== "query.page_token") throw error;
    return issue.message;
  }
}

t.test("a token is read back in its own list and in no other", async (t) => {
  fc.assert(
    fc.property(
      fc.nat({ max: 999_999_999_999_999 }),
      fc.string(),
      fc.string(),
      (position, scope, stranger) => {
        const token = pageToken(position, scope);
        fc.pre(stranger !== scope);
        return (
          /^[\w-]{1,60}$/.test(token) &&
          positionOf(token, scope) === position &&
          refusalOf(token, stranger) === other
        );
      },
    ),
  );
  t.equal(positionOf(pageToken(0, ""), ""), 0);
});

t.test("what is no token is refused, and never anything but refused", async (t) => {
  const [real, ...rest] = [
    pageToken(17, "x"),
    "!",
    " ",
    "null",
    "__proto__",
    "x".repeat(10_000),
    "\r\n",
    "\u2028",
  ];
  for (const token of rest) t.equal(refusalOf(token, "x"), none, encodeURI(token).slice(0, 40));
  for (const text of [
    "17",
    "17.",
    "-1.aaaaaaaaaaaaaaaaaaaaaa",
    "01.aaaaaaaaaaaaaaaaaaaaaa",
    "1e3.aaaaaaaaaaaaaaaaaaaaaa",
  ]) {
    t.equal(refusalOf(Buffer.from(text).toString("base64url"), "x"), none, text);
  }
  t.equal(refusalOf(pageToken(9_007_199_254_740_991, "x"), "x"), none, "beyond what a number can hold");
  fc.assert(fc.property(fc.string(), (text) => refusalOf(text, "x") !== undefined));
  for (const spelling of [`${real}=`, ` ${real}`, `${real}\n`, `${real}!`]) {
    t.ok(refusalOf(spelling, "x"), `there is one way to write a token, not ${JSON.stringify(spelling)}`);
  }
});

t.test("no changed character leaves a token valid for another position", async (t) => {
  const token = pageToken(123_456, "scope");
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const taken = [...token].flatMap((own, at) =>
    [...alphabet]
      .filter((letter) => letter !== own)
      .map((letter) => token.slice(0, at) + letter + token.slice(at + 1))
      .filter((changed) => refusalOf(changed, "scope") === undefined),
  );
  // The position itself is no secret and not protected: whoever may list may start anywhere in the list.
  for (const changed of taken) t.not(positionOf(changed, "scope"), 123_456);
});
