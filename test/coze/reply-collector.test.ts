import t from "tap";
import { errors } from "undici";
import { type Exchange, ReplyCollector } from "../../src/coze/reply-collector.ts";

/** A collector before or after its request was handed to a connection, what it settled with, and what was aborted. */
function collector(start?: "new" | "reused") {
  const settled: Exchange[] = [];
  const aborted: string[] = [];
  let done = 0;
  const reply = new ReplyCollector(
    10,
    (exchange) => void settled.push(exchange),
    () => {
      done += 1;
    },
  );
  const controller = {
    aborted: false,
    paused: false,
    reason: null,
    abort: ({ message }: Error) => void aborted.push(message),
    pause() {},
    resume() {},
  };
  if (start === "reused") reply.onStart = () => true;
  if (start) reply.onRequestStart(controller);
  return { reply, controller, settled, aborted, done: () => done };
}

const coded = (code: string) => Object.assign(new Error("quotes what was sent"), { code });

t.test("a reply in one piece or many is given whole, and once", async (t) => {
  for (const pieces of [["abcdef"], ["ab", "cd", "ef"]]) {
    const { reply, settled, done } = collector("new");
    reply.onResponseStart(undefined, 200, { a: "b" });
    for (const piece of pieces) reply.onResponseData(undefined, Buffer.from(piece));
    reply.onResponseEnd();
    t.equal(done(), 1);
    t.same(settled, [{ kind: "reply", status: 200, headers: { a: "b" }, body: Buffer.from("abcdef") }]);
  }
});

t.test("whether bytes may have left decides between connect and reset", async (t) => {
  for (const [start, code, failure, sent] of [
    [undefined, "ECONNREFUSED", "connect", false],
    [undefined, "CERT_HAS_EXPIRED", "certificate", false],
    ["new", "ECONNRESET", "reset", true],
    ["reused", "ECONNRESET", "stale", true],
    ["reused", "HPE_INVALID_CONSTANT", "bad_http", true],
  ] as const) {
    const { reply, settled } = collector(start);
    reply.onResponseError(undefined, coded(code));
    t.same(settled, [{ kind: "failure", failure, sent, detail: code }]);
  }
});

t.test("a reset after the reply has begun is not a stale connection", async (t) => {
  const { reply, settled } = collector("reused");
  reply.onResponseStart(undefined, 200, {});
  reply.onResponseError(undefined, coded("ECONNRESET"));
  t.match(settled, [{ failure: "reset" }]);
});

t.test("a reset after Coze had time to work is not a stale connection either", async (t) => {
  const { reply, settled } = collector("reused");
  await new Promise((resolve) => setTimeout(resolve, 300));
  reply.onResponseError(undefined, coded("ECONNRESET"));
  t.match(settled, [{ failure: "reset" }]);
});

t.test("errors of undici's own and those without a code are sorted too", async (t) => {
  const parser = collector("new");
  parser.reply.onResponseError(undefined, new errors.HTTPParserError("bad"));
  t.match(parser.settled, [{ failure: "bad_http" }]);
  const plain = collector("new");
  plain.reply.onResponseError(undefined, new TypeError("quotes what was sent"));
  t.match(plain.settled, [{ failure: "reset", detail: "TypeError" }]);
});

t.test("too much or compressed content is cut off", async (t) => {
  const large = collector("new");
  large.reply.onResponseStart(undefined, 200, {});
  large.reply.onResponseData(undefined, Buffer.alloc(11));
  t.match([large.settled, large.aborted], [[{ failure: "too_large", sent: true }], [/larger than 10 bytes/]]);
  const packed = collector("new");
  packed.reply.onResponseStart(undefined, 200, { "content-encoding": "gzip" });
  t.match([packed.settled, packed.aborted], [[{ failure: "encoded" }], [/compressed/]]);
  const plain = collector("new");
  plain.reply.onResponseStart(undefined, 200, { "content-encoding": "identity" });
  t.same(plain.settled, []);
});

t.test("what was given up while it waited is not sent any more", async (t) => {
  const { reply, controller, settled, aborted, done } = collector();
  reply.giveUp("timeout", "too late");
  t.match(settled, [{ failure: "timeout", sent: false }]);
  reply.onRequestStart(controller);
  t.match(aborted, [/before it was sent/]);
  t.equal(done(), 0, "undici still holds it");
  reply.onResponseError(undefined, coded("UND_ERR_ABORTED"));
  t.equal(done(), 1);
  t.equal(settled.length, 1);
});
