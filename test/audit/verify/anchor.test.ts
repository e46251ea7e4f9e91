import t from "tap";
import { readAnchor, unreadable } from "../../../src/audit/verify/anchor.ts";

const hash = "a".repeat(64);
const record = '{"kind":"alive","segment":"2027-03"}';
const line = `{"level":"info","ts":"2027-03-10T12:00:00.000Z","event":"audit","stream":"gw-1.0f","seq":12,"hash":"${hash}","record":${record}}`;
const anchor = { stream: "gw-1.0f", seq: 12, hash, segment: "2027-03" };

t.test("a line of the gateway, bare and as log shippers wrap it", async (t) => {
  for (const [name, wrapped] of Object.entries({
    bare: line,
    "with a carriage return": `${line}\r`,
    "made anew with blanks": JSON.stringify(JSON.parse(line), null, 2).replaceAll("\n", " "),
    "Kubernetes CRI": `2027-03-10T12:00:00.000000000Z stdout F ${line}`,
    "docker json-file": JSON.stringify({ log: `${line}\n`, stream: "stdout", time: "2027-03-10T12:00:00Z" }),
    "an object with a message": JSON.stringify({ "@timestamp": "2027", message: line, log: { file: "x" } }),
    "an object with an event of its own": JSON.stringify({ event: "log", message: line }),
    "a message in a log in a prefix": `x ${JSON.stringify({ log: JSON.stringify({ message: line }) })}`,
    "a message beside a log of something else": JSON.stringify({ log: "stdout", message: line }),
  })) {
    t.strictSame(readAnchor(wrapped), anchor, name);
  }
});

t.test("other lines do not matter", async (t) => {
  for (const other of [
    "",
    "npm start",
    "{",
    '{"event":"request","caller":"audit"}',
    '{"event":"audit_failure","problem":"disk full"}',
    JSON.stringify({ log: "nothing", message: 7, text: line }),
    JSON.stringify({ other: { event: "audit" } }),
  ]) {
    t.equal(readAnchor(other), undefined, other);
  }
});

t.test("a line that was to be an anchor, but is not whole", async (t) => {
  for (const broken of [
    line.slice(0, -1),
    line.slice(0, 90),
    line.slice(5),
    `${line}x`,
    line.replace(hash, hash.slice(1)),
    line.replace(hash, hash.toUpperCase()),
    line.replace(`"${hash}"`, "7"),
    line.replace('"seq":12', '"seq":0'),
    line.replace('"seq":12', '"seq":1.5'),
    line.replace('"seq":12', '"seq":"12"'),
    line.replace('"seq":12,', ""),
    line.replace("gw-1.0f", "gw 1"),
    line.replace('"gw-1.0f"', "null"),
    line.replace('"segment":"2027-03"', '"segment":3'),
    line.replace(record, "null"),
    JSON.stringify({ log: line.slice(0, 90) }),
  ]) {
    t.equal(readAnchor(broken), unreadable, broken);
  }
});
