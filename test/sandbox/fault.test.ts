import t from "tap";
import { parseFaults } from "../../src/sandbox/fault.ts";

t.test("one fault or a list of them", (t) => {
  const fault = {
    method: "GET",
    path: "/v1/api_apps/:api_app_id",
    times: 2,
    status: 429,
    code: 4013,
    msg: "slow down",
    headers: { "Retry-After": "1", "x-tt-logid": ["a", "b"] },
    body: "",
    content_type: "text/plain",
    html: false,
    raw: "",
    after_effect: true,
    reset: "before_effect",
    delay_ms: 0,
    truncate: 0,
    drip_ms: 5,
  };
  t.same(parseFaults(fault), [fault]);
  t.same(parseFaults([fault, { code: "4013", reset: "after_effect" }, {}]).length, 3);
  t.same(parseFaults([]), []);
  t.end();
});

const wrong: readonly unknown[] = [
  null,
  "x",
  [[{}]],
  { metod: "GET" },
  { toString: "x" },
  { method: 1 },
  { path: "v1" },
  { path: ["/v1"] },
  { times: 0 },
  { times: 1.5 },
  { status: 100 },
  { status: 1000 },
  { status: "500" },
  { code: null },
  { msg: 1 },
  { headers: "x" },
  { headers: { a: 1 } },
  { headers: { "a b": "x" } },
  { headers: { a: "x\r\ny" } },
  { headers: { a: ["\u4e2d"] } },
  { content_type: "\n" },
  { html: "yes" },
  { reset: true },
  { delay_ms: -1 },
  { truncate: "1" },
];
for (const body of wrong) {
  t.test(`${JSON.stringify(body)} is refused with what is allowed`, (t) => {
    t.throws(() => parseFaults(body), {
      message:
        /^not a fault: .*allowed are method \(a string\).*reset \(before_effect or after_effect\).*drip_ms/,
    });
    t.end();
  });
}
