import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { parseDocument } from "yaml";
import { hashKey } from "../../../src/callers/key.ts";
import { parsePolicy } from "../../../src/callers/policy.ts";
import { withoutKeys } from "../../../src/commands/keys/without-keys.ts";

const hash = (name: string) => hashKey(name);
const without = (text: string, ...names: string[]) => {
  const hashes = names.map(hash);
  return withoutKeys(text, ({ sha256 }) => hashes.includes(sha256));
};

const file = `# who may call, see the wiki
callers:
  - id: billing   # the team
    keys:
      # keys of the pods
      - sha256: ${hash("a")}   # first
        expires_at: 2999-01-01T00:00:00Z  # soon

      # the new one
      - expires_at:   "2999-02-01T00:00:00Z"
        sha256: '${hash("b")}'
    grants:
      - permissions: [listApiApp,   deleteApiApp]   # spaces kept
        api_app_ids: all

  # the nightly job
  - grants: []
    id: nightly
    keys:
    - {sha256: ${hash("c")}}
    - sha256:
        ${hash("d")}
  - id: nobody
`;

/** The file without some of its lines, counted from 1. */
const cut = (from: number, to: number, text = file) =>
  text
    .split("\n")
    .filter((_, index) => index + 1 < from || index + 1 > to)
    .join("\n");

t.test("the lines of a key go, and every other byte stays", async (t) => {
  t.same(parsePolicy(file).credentials.size, 4, "the file is a good one");
  const cases: [name: string, expected: string, firstLine: number, lastLine: number][] = [
    ["a", cut(6, 7), 6, 7],
    ["b", cut(8, 11), 10, 11],
    ["c", cut(20, 20), 20, 20],
    ["d", cut(21, 22), 21, 22],
  ];
  for (const [name, expected, firstLine, lastLine] of cases) {
    const { text, removed } = without(file, name);
    t.equal(text, expected, name);
    const caller = "ab".includes(name) ? "billing" : "nightly";
    t.strictSame(removed, [{ caller, sha256: hash(name), firstLine, lastLine }]);
  }
  const crlf = file.replaceAll("\n", "\r\n");
  t.equal(without(crlf, "a").text, cut(6, 7).replaceAll("\n", "\r\n"));
  t.equal(without(file.trimEnd(), "d").text, cut(21, 22, file.trimEnd()));
});

t.test("several at once, of several callers", async (t) => {
  const { text, removed } = without(file, "d", "a");
  t.equal(text, cut(6, 7, cut(21, 22)));
  t.equal(removed.length, 2);
});

t.test("a list without its last key is an empty list", async (t) => {
  const { text, removed } = withoutKeys(file, ({ caller }) => caller === "billing");
  t.equal(removed.length, 2);
  t.equal(text, cut(6, 11).replace("    keys:\n      #", "    keys: []\n      #"));
  const quoted = `callers: [ { id: a, "keys" : [{sha256: ${hash("a")}}] } ]\n`;
  t.strictSame(parseDocument(without(quoted, "a").text).toJS(), { callers: [{ id: "a", keys: [] }] });
});

t.test("keys that share a line: the file is written anew, with its comments", async (t) => {
  const text = `# who
callers:
  - id: billing  # the team
    keys: [{sha256: ${hash("a")}}, {sha256: ${hash("b")}}]
    grants:
      - permissions: [listApiApp]
        api_app_ids: all  # ${"long ".repeat(40)}end
`;
  const expected = text
    .replace(`{sha256: ${hash("a")}}, `, "")
    .replace("billing  #", "billing #")
    .replace("all  #", "all #");
  t.equal(without(text, "a").text, expected);
  t.same(without(text, "a").removed, [{ caller: "billing", sha256: hash("a"), firstLine: 4, lastLine: 4 }]);
});

t.test("nothing to remove changes nothing", async (t) => {
  t.strictSame(without(file, "x"), { text: file, removed: [] });
  t.strictSame(without("callers: []", "x"), { text: "callers: []", removed: [] });
});

t.test("a file that is no good is left alone", async (t) => {
  for (const text of [
    "",
    "callers: [",
    "callers: {}",
    file.replace("id: nobody", "id: A"),
    "a: &a 1\nb: *a",
  ]) {
    t.throws(() => without(text, "a"), Error, text.slice(-20));
  }
});

t.test("whatever goes, the rest of the file means what it meant", async () => {
  const entry = fc.constantFrom(
    (sha: string) => `- sha256: ${sha}\n`,
    (sha: string) => `-   sha256: "${sha}"   # a comment: with a colon\n`,
    (sha: string) => `# above: - it\n- sha256: ${sha}\n  expires_at: 2000-01-01T00:00:00Z\n\n`,
    (sha: string) => `- {expires_at: "2000-01-01T00:00:00Z",\n   sha256: ${sha}}\n# below\n`,
    (sha: string) => `-\n  sha256: ${sha}\n`,
    (sha: string) => `- sha256: >-\n    ${sha}\n`,
    (sha: string) => `- ? sha256\n  : ${sha}\n`,
  );
  const key = fc.record({ entry, isRevoked: fc.boolean() });
  const caller = fc.record({
    keys: fc.array(key, { maxLength: 2 }),
    inOneLine: fc.boolean(),
    last: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(caller, { minLength: 1, maxLength: 4 }), (callers) => {
      const revoked = new Set<string>();
      const text = callers
        .map(({ keys, inOneLine, last }, place) => {
          const hashes = keys.map((each, index) => {
            const sha = hash(`${place}.${index}`);
            if (each.isRevoked) revoked.add(sha);
            return sha;
          });
          const block = keys
            .map((each, index) => each.entry(hashes[index] ?? "").replace(/^(?=.)/gm, "      "))
            .join("");
          const list =
            inOneLine || keys.length === 0
              ? `    keys: [${hashes.map((sha) => `{sha256: "${sha}"}`).join(", ")}]\n`
              : `    keys: # of ${place}\n${block}`;
          return `  - id: c${place}\n${last ? `    grants: []\n${list}` : `${list}    grants: []\n`}`;
        })
        .join("");
      const before = `# head\ncallers:\n${text}# end\n`;
      const { text: after, removed } = withoutKeys(before, ({ sha256 }) => revoked.has(sha256));
      assert.equal(removed.length, revoked.size);
      const kept = [...parsePolicy(before).credentials.keys()].filter((sha) => !revoked.has(sha));
      assert.deepEqual([...parsePolicy(after).credentials.keys()], kept);
      assert.deepEqual(
        parsePolicy(after).callers.map(({ id, grants }) => ({ id, grants })),
        parsePolicy(before).callers.map(({ id, grants }) => ({ id, grants })),
      );
      for (const comment of ["# head", "# end"]) assert.ok(after.includes(comment));
    }),
    { numRuns: 300 },
  );
});
