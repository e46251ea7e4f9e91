import t from "tap";
import { envelope } from "../../src/http/envelope.ts";

t.test("a success in Coze's form", async (t) => {
  t.same(JSON.parse(envelope('{"a":7512345678901234567}')), {
    code: 0,
    msg: "",
    data: { a: Number("7512345678901234567") },
    detail: { logid: "" },
  });
});
