import t from "tap";
import { authorize } from "../../src/sandbox/tokens.ts";
import { refusal, tokens } from "./helper.ts";

t.test("a token that holds the permission passes", (t) => {
  authorize(tokens, "Bearer sat_all", "createApiApp");
  authorize(tokens, "Bearer sat_list", "listApiApp");
  t.end();
});

t.test("a known token without the permission is 4101", (t) => {
  t.throws(() => authorize(tokens, "Bearer sat_list", "createApiApp"), refusal(4101, /permissions/));
  t.end();
});

for (const header of [
  undefined,
  "",
  "Bearer",
  "Bearer ",
  "sat_all",
  "Basic sat_all",
  "Bearer sat_no",
  "Bearer sat_all x",
]) {
  t.test(`Authorization ${header} is 700012006`, (t) => {
    t.throws(() => authorize(tokens, header, "listApiApp"), refusal(700012006, "access token invalid"));
    t.end();
  });
}
