import { createHash } from "node:crypto";
import t from "tap";
import { Chain, genesisHash, hashOf, newStream } from "../../src/audit/chain.ts";
import { auditRecord, type Draft } from "../../src/audit/record.ts";

const draft = (more: Partial<Draft> = {}): Draft => ({
  kind: "alive",
  time: Date.parse("2027-03-10T12:00:00.005Z"),
  uptime_ms: 12,
  ...more,
});

t.test("a record is sealed as canonical JSON with its SHA-256", async (t) => {
  const { record, text, hash } = new Chain("s").seal(draft(), 0);
  t.equal(
    text,
    `{"kind":"alive","prev_hash":"${"0".repeat(64)}","segment":"2027-03","seq":1,"settled_to":0,` +
      '"stream":"s","time":"2027-03-10T12:00:00.005Z","uptime_ms":12,"v":1}',
    "sorted by name, without blanks",
  );
  t.equal(hash, createHash("sha256").update(text).digest("hex"));
  t.equal(hashOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  t.strictSame(auditRecord.parse(JSON.parse(text)), record, "the text says what the record says");
});

t.test("a field that is undefined is not in the text", async (t) => {
  const seal = (more: Partial<Draft>) => new Chain("s").seal(draft({ kind: "outcome", ...more }), 0).text;
  const nothing = { request_id: undefined, attempts: undefined, error: undefined };
  t.equal(seal(nothing), seal({}));
  const lost = { attempt: 1, class: "lost", ms: 5 };
  t.equal(
    seal({ attempts: [{ ...lost, status: undefined, code: undefined, logid: undefined }] }),
    seal({ attempts: [lost] }),
  );
});

t.test("each record names the one before it", async (t) => {
  const chain = new Chain("s");
  t.equal(chain.head, undefined);
  t.equal(chain.nextSeq, 1);
  const sealed = [0, 1, 1].map((settledTo) => chain.seal(draft(), settledTo));
  t.strictSame(
    sealed.map(({ record }) => [record.stream, record.seq, record.settled_to, record.prev_hash]),
    [
      ["s", 1, 0, genesisHash],
      ["s", 2, 1, sealed[0]?.hash],
      ["s", 3, 1, sealed[1]?.hash],
    ],
  );
  t.strictSame(chain.head, { stream: "s", seq: 3, hash: sealed[2]?.hash });
  t.equal(chain.nextSeq, 4);
});

t.test("the month never goes back, whatever the clock does", async (t) => {
  const chain = new Chain("s");
  const sealAt = (time: string) => {
    const { record } = chain.seal(draft({ time: Date.parse(time) }), 0);
    t.equal(record.time, time, "the time is told as it is");
    return record.segment;
  };
  t.equal(sealAt("2026-12-31T23:59:59.999Z"), "2026-12");
  t.equal(sealAt("2027-01-01T00:00:00.000Z"), "2027-01");
  t.equal(sealAt("2026-12-31T23:59:59.000Z"), "2027-01");
  t.equal(sealAt("2019-05-05T00:00:00.000Z"), "2027-01");
  t.equal(sealAt("2027-02-01T00:00:00.000Z"), "2027-02");
});

t.test("a stream is named after the host and is new each time", async (t) => {
  t.match(newStream("gateway-7d9f._x"), /^gateway-7d9f\._x\.[0-9a-f]{16}$/);
  t.not(newStream("a"), newStream("a"));
});

t.test("a hostile host name makes a name all the same", async (t) => {
  const stream = auditRecord.shape.stream;
  const hosts = ["", "a\r\nb", "\u202e", 'a","seq":1', "é.local", "../..", "x".repeat(300), "\ud800", "a:b"];
  t.strictSame(
    hosts.filter((host) => !stream.safeParse(newStream(host)).success),
    [],
  );
  t.match(newStream(""), /^gateway\.[0-9a-f]{16}$/);
  t.match(newStream("a\r\nb:c"), /^a--b-c\.[0-9a-f]{16}$/);
  t.equal(newStream("x".repeat(300)).length, 80);
});
