import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { UnreadableReply } from "../../../src/http/reply/json-tree.ts";
import { Reply, type ReplyRules } from "../../../src/http/reply/reply.ts";
import { reply, type Written, write } from "./random-json.ts";

const none: ReplyRules = { showsVerifyToken: () => false };
const view = (text: string, rules: ReplyRules) => new Reply(Buffer.from(text)).view(rules).toString();

t.test("a create shows everything but the secret, byte for byte", async (t) => {
  const text =
    '{ "code":0,\n"data":{"id":"7512345678901234567", "n":9007199254740993, "verify_token" : "s3cret"}, "é":"\\/" }';
  t.equal(view(text, none), text.replace('"s3cret"', '"[redacted]"'));
  t.equal(view(text, { showsVerifyToken: (id) => id === "7512345678901234567" }), text);
  t.equal(view(text, { showsVerifyToken: (id) => id !== "7512345678901234567" }), view(text, none));
});

t.test("a secret that is not clearly an app's is shown to those alone who may see all", async (t) => {
  for (const members of [
    '"verify_token":"s"',
    '"id":7,"verify_token":"s"',
    '"id":"1","verify_token":"s","id":"2"',
  ]) {
    const text = `{"data":{${members}}}`;
    t.equal(view(text, { showsVerifyToken: () => true }), text.replace('"s"', '"[redacted]"'), members);
    t.equal(view(text, { showsVerifyToken: "all" }), text, members);
  }
});

t.test("a list shows the items that may be seen; paging stays as it is", async (t) => {
  const item = (id: string) => `{"id":"${id}","verify_token":"s${id}"}`;
  const list = (...items: string[]) =>
    `{"code":0,"data":{"items":[${items.join()}],"has_more":true,"next_page_token":"177"}}`;
  const text = list(item("1"), item("2"), item("3"), '{"id":4}', "null");
  const shows = (...ids: string[]) => ({ showsItem: ({ id = "" }) => ids.includes(id) });
  t.equal(view(text, { showsVerifyToken: "all", ...shows("1", "3") }), list(item("1"), item("3")));
  t.equal(view(text, { ...none, ...shows("2") }), list(item("2").replace("s2", "[redacted]")));
  t.equal(view(text, { ...none, ...shows() }), list());
  t.equal(
    view(text, { showsVerifyToken: "all", showsItem: () => true }),
    list(item("1"), item("2"), item("3")),
    "what nobody can tell the owner of is not shown under any rule",
  );
});

t.test("events are told apart by their type", async (t) => {
  const event = (type: string) => `{"api_app_id":"7","event_type":"${type}"}`;
  const list = (...types: string[]) => `{"data":{"items":[${types.map(event).join(", ")}]}}`;
  const showsItem: ReplyRules["showsItem"] = ({ event_type }) => event_type === "bot.deleted";
  t.equal(view(list("bot.published", "bot.deleted"), { ...none, showsItem }), list("bot.deleted"));
});

t.test("with nothing to do it is the very same Buffer, unread", async (t) => {
  const same = (text: string, rules: ReplyRules) => {
    const body = Buffer.from(text);
    t.equal(new Reply(body).view(rules), body, text);
  };
  same('{"data":{"verify_token":"s"}}', { showsVerifyToken: "all" });
  same('{"data":{"id":"7","verify_token":"s"}}', { showsVerifyToken: () => true });
  same('{"data":{"verify":"\\\\ \\/"}}', none);
  same('{"data":{"items":[]}}', { ...none, showsItem: () => false });
  same("anything without the name", none);
  same('{"name":"verify_token and \\u005f"}', none);
});

t.test("what cannot be read is not shown", async (t) => {
  const hides = { ...none, showsItem: () => true };
  const bodies: [body: string | Buffer, rules: ReplyRules, message: RegExp][] = [
    ['{"verify_token":"s"} // comment', none, /^not JSON/],
    ['{"verify_token":"s",}', none, /^not JSON/],
    ['\ufeff{"verify_token":"s"}', none, /^not JSON/],
    ['{"verify_token":"s"', none, /^not JSON/],
    ["verify_token=s", none, /^not JSON/],
    [`${"[".repeat(1024 * 1024)}"verify_token"`, none, /^nested too deep/],
    [Buffer.from('{"verify_token":"\xe9"}', "latin1"), none, /^not UTF-8$/],
    ["", hides, /^not JSON/],
    ['{"data":{"items":{"1":{}}}}', hides, /^data\.items is not a list$/],
    ['{"data":[]}', hides, /^data\.items is not a list$/],
  ];
  for (const [body, rules, message] of bodies) {
    t.throws(() => new Reply(Buffer.from(body)).view(rules), { name: "UnreadableReply", message });
  }
  t.throws(() => new Reply(Buffer.from("{")).ids(), UnreadableReply);
});

t.test("the ids that rules will be asked about", async (t) => {
  const ids = (text: string) => [...new Reply(Buffer.from(text)).ids()].sort();
  t.strictSame(ids('{"data":{"id":"7"}}'), ["7"]);
  t.strictSame(ids('{"data":{"id":7}}'), []);
  t.strictSame(ids("{}"), []);
  t.strictSame(
    ids('{"data":{"items":[{"id":"1"},{"id":"2","id":"3"},{"api_app_id":"4"},{"id":"1"},{"id":"a b"},5]}}'),
    ["1", "4"],
  );
  t.strictSame(ids('{"x":[{"id":"9","verify_token":"s"},{"id":"10"}]}'), ["9"]);
});

const allowed = new Set(["7512345678901234567", "cli_1"]);

/** The members of that name. */
const valuesOf = (value: Written, name: string) =>
  value.kind === "object"
    ? value.members.filter((member) => member.name === name).map((each) => each.value)
    : [];

/** What all of these say: a text, `doubtful`, or undefined when there are none. */
function saidBy(values: readonly Written[]): string | undefined {
  if (values.length === 0) return undefined;
  const said = new Set(values.map((each) => (each.kind === "string" ? each.text : "doubtful")));
  const [only = ""] = said;
  return said.size === 1 && !/[^\0-\x7f]/.test(only) ? only : "doubtful";
}

/** The model: secrets replaced where the rule does not allow their app. */
function withoutSecrets(value: Written): Written {
  const hidden = !allowed.has(saidBy(valuesOf(value, "id")) ?? "");
  const replaced = { kind: "scalar", raw: '"[redacted]"' } as const;
  if (value.kind === "object") {
    const members = value.members.map((each) => {
      const isHidden = each.name === "verify_token" && hidden;
      return { ...each, value: isHidden ? replaced : withoutSecrets(each.value) };
    });
    return { ...value, members };
  }
  if (value.kind !== "array") return value;
  return {
    ...value,
    elements: value.elements.map((each) => ({ ...each, value: withoutSecrets(each.value) })),
  };
}

function staysInList(item: Written): boolean {
  const [id, appId, ...others] = ["id", "api_app_id", "app_type", "event_type"].map((name) =>
    saidBy(valuesOf(item, name)),
  );
  const ids = [id, appId].filter((each) => each !== undefined);
  const wellFormed = ids.every((each) => /^[\w-]{1,64}$/.test(each) && each !== "doubtful");
  return ids.length > 0 && wellFormed && !others.includes("doubtful") && allowed.has(id ?? "");
}

/** The model: every `data.items` without the items that do not stay. */
function withoutItems(root: Written, path: readonly string[] = ["data", "items"]): Written {
  const [name, ...rest] = path;
  if (name !== undefined) {
    if (root.kind !== "object") return root;
    const members = root.members.map((each) =>
      each.name === name ? { ...each, value: withoutItems(each.value, rest) } : each,
    );
    return { ...root, members };
  }
  if (root.kind !== "array" || root.elements.length === 0) return root;
  const { elements } = root;
  const kept = [...elements.keys()].filter((index) => staysInList(elements[index]?.value as Written));
  const before = elements[0]?.before ?? "";
  const after = elements.at(-1)?.after ?? "";
  const shown = kept.map((index, place) => ({
    before: place === 0 ? before : (elements[index]?.before ?? ""),
    value: elements[index]?.value as Written,
    after: place === kept.length - 1 ? after : (elements[(kept[place + 1] ?? 0) - 1]?.after ?? ""),
  }));
  return { ...root, elements: shown, empty: before + after };
}

/** Whether the model knows what the lists of it show. */
function isSure(root: Written): boolean {
  const data = valuesOf(root, "data");
  const is = (value: Written, kind: string) => value.kind === kind || write(value) === "null";
  const items = data.flatMap((each) => valuesOf(each, "items"));
  return (
    data.every((each) => is(each, "object")) &&
    items.every((each) => is(each, "array")) &&
    outermostArrays(root) === items.filter(({ kind }) => kind === "array").length
  );
}

/** Lists that stand in no other list. */
function outermostArrays(value: Written): number {
  if (value.kind === "array") return 1;
  if (value.kind !== "object") return 0;
  return value.members.map((member) => outermostArrays(member.value)).reduce((sum, each) => sum + each, 0);
}

t.test("any reply: what is shown is what the model says, to the byte", async (t) => {
  const showsVerifyToken = (id: string) => allowed.has(id);
  const showsItem: ReplyRules["showsItem"] = ({ id }) => allowed.has(id ?? "");
  let changed = 0;
  let removed = 0;
  fc.assert(
    fc.property(reply, (root) => {
      const text = write(root);
      const redacted = view(text, { showsVerifyToken });
      assert.equal(redacted, write(withoutSecrets(root)));
      JSON.parse(redacted);
      assert.equal(view(redacted, { showsVerifyToken }), redacted, "a second time changes nothing");
      if (redacted !== text) changed++;
      if (!isSure(root)) {
        assert.throws(() => view(text, { showsVerifyToken, showsItem }), UnreadableReply);
        return;
      }
      const filtered = view(text, { showsVerifyToken: "all", showsItem });
      assert.equal(filtered, write(withoutItems(root)));
      if (filtered !== text) removed++;
      const both = view(text, { showsVerifyToken, showsItem });
      assert.equal(both, write(withoutSecrets(withoutItems(root))));
      JSON.parse(both);
      assert.equal(view(both, { showsVerifyToken, showsItem }), both);
    }),
    { numRuns: 1500 },
  );
  t.ok(changed > 100 && removed > 100, `${changed} replies had secrets, ${removed} lost items`);
});

t.test("no secret is left, wherever it stands and however its name is written", async () => {
  const nest = fc.array(fc.constantFrom("[", "{", "data", "items"), { maxLength: 8 });
  const name = fc
    .array(fc.boolean(), { minLength: 12, maxLength: 12 })
    .map((escaped) =>
      [..."verify_token"]
        .map((letter, index) => (escaped[index] ? `\\u00${letter.charCodeAt(0).toString(16)}` : letter))
        .join(""),
    );
  const value = fc.constantFrom('"s3cret"', '["s3cret"]', '{"id":"cli_1","x":{"y":"s3cret"}}', '"\\"s3cret"');
  fc.assert(
    fc.property(nest, name, value, (around, written, secret) => {
      const text = around.reduce(
        (inner, way) => (way === "[" ? `[1, ${inner}]` : `{"${way}":${inner}, "a":"verify_token"}`),
        `{"id":"x","${written}":${secret},"${written}" : ${secret}}`,
      );
      const shown = view(text, none);
      assert.doesNotMatch(shown, /s3cret/);
      assert.equal(shown.split('"[redacted]"').length, 3);
    }),
  );
});
