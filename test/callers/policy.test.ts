import t from "tap";
import { stringify as toYaml } from "yaml";
import { hashKey, mintKey } from "../../src/callers/key.ts";
import { parsePolicy } from "../../src/callers/policy.ts";
import { permissions } from "../../src/operations/registry.ts";

const key = mintKey("billing");
const sha256 = hashKey(key);
const grants = [{ permissions: ["listApiApp"], api_app_ids: "all" }];
const billing = { id: "billing", keys: [{ sha256 }], grants };

/** Written out: what stands in two places would become an alias. */
const stringify = (value: object) => toYaml(value, { aliasDuplicateObjects: false });

/** The message that the file is refused with. No message may hold a key or its hash, so each is looked through. */
function refusalOf(t: Pick<typeof import("tap").t, "notMatch">, content: string | Buffer): string {
  try {
    parsePolicy(content);
    return "(taken)";
  } catch (error) {
    const text = `${error}`;
    for (const secret of [sha256, sha256.toUpperCase(), key]) t.notMatch(text, secret);
    return (error as Error).message;
  }
}

t.test("a whole file", async (t) => {
  const { callers, credentials } = parsePolicy(`
# who may call
callers:
  - id: billing
    keys:
      - sha256: ${sha256}
        expires_at: 2027-01-01T00:00:00Z
      - sha256: "${"0".repeat(64)}"   # quoted, or YAML reads a number
        expires_at: 2027-01-01T02:00:00.5+02:00
    grants:
      - permissions: [listApiApp, deleteApiApp]
        api_app_ids: all
      - permissions: [updateApiApp]
        api_app_ids: ["7512045450401153075", another_App-1]
  - id: nobody-yet
`);
  t.same(
    callers.map(({ id }) => id),
    ["billing", "nobody-yet"],
  );
  const [first, second] = callers;
  t.strictSame(second, { id: "nobody-yet", keys: [], grants: [] });
  t.strictSame(first?.grants[1], {
    permissions: ["updateApiApp"],
    api_app_ids: ["7512045450401153075", "another_App-1"],
  });
  t.equal(credentials.size, 2);
  t.strictSame(credentials.get(sha256), {
    caller: first,
    hash: Buffer.from(sha256, "hex"),
    expiresAt: Date.UTC(2027, 0, 1),
  });
  t.equal(credentials.get("0".repeat(64))?.expiresAt, Date.UTC(2027, 0, 1) + 500);
});

t.test("a key without an expiry lives for ever", async (t) => {
  const { credentials } = parsePolicy(stringify({ callers: [billing] }));
  t.equal(credentials.get(sha256)?.expiresAt, Number.POSITIVE_INFINITY);
});

t.test("nobody may call: an empty list is a valid file, also with a byte order mark and CRLF", async (t) => {
  t.equal(parsePolicy("callers: []").credentials.size, 0);
  t.equal(parsePolicy(Buffer.from("\uFEFFcallers:\r\n  - id: a\r\n")).callers.length, 1);
});

t.test("files that are refused, and why", async (t) => {
  const caller = (fields: object) => stringify({ callers: [{ ...billing, ...fields }] });
  const grant = (fields: object) => caller({ grants: [{ ...grants[0], ...fields }] });
  const known = [...permissions].join(", ");
  const cases: Record<string, [content: string | Buffer, message: string | RegExp]> = {
    "an empty file": ["", /^file: Invalid input: expected object, received null$/],
    "only a comment": ["# nobody", /^file: .*received null$/],
    "no callers": ["{}", /^callers: Invalid input/],
    "callers: nothing": ["callers:", /^callers: .*received null$/],
    "a list": ["- id: a", /^file: .*received array$/],
    binary: [Buffer.from([0, 255, 254, 1, 128, 200]), /^file: .*received string$|^not valid YAML/],
    "not YAML": ["callers: [", /^not valid YAML: \w+ at line 1$/],
    tabs: ["callers:\n\t- id: a", /^not valid YAML: \w+ at line 2$/],
    "two documents": ["callers: []\n---\ncallers: []", /^not valid YAML: MULTIPLE_DOCS at line 2$/],
    "a field twice": [`callers:\n - id: a\n   id: b`, "not valid YAML: DUPLICATE_KEY at line 3"],
    "a key hash as a field twice": [`? ${sha256}\n? ${sha256}`, /^not valid YAML: DUPLICATE_KEY at line \d$/],
    "an alias": ["callers: &x\n - id: a\n   keys: *x", "YAML anchors and aliases are not allowed"],
    "an alias of nothing": ["callers: *x", "YAML anchors and aliases are not allowed"],
    "a field of the file": ["callers: []\nversion: 2", 'file: Unrecognized key: "version"'],
    "a field of a caller": [caller({ token: 1 }), 'callers.0: Unrecognized key: "token"'],
    "a field of a key": [
      caller({ keys: [{ sha256, expires: "x" }] }),
      'callers.0.keys.0: Unrecognized key: "expires"',
    ],
    "a field of a grant": [grant({ app_ids: "all" }), 'callers.0.grants.0: Unrecognized key: "app_ids"'],
    "a field named __proto__": ['callers: []\n"__proto__": {}', 'file: Unrecognized key: "__proto__"'],
    "an id twice": [
      stringify({ callers: [billing, { ...billing, keys: [] }] }),
      "the caller id billing stands in the file twice",
    ],
    "a hash twice": [
      caller({ keys: [{ sha256 }, { sha256 }] }),
      "a key hash of caller billing stands in the file twice",
    ],
    "a hash at two callers": [
      stringify({ callers: [billing, { ...billing, id: "other" }] }),
      "a key hash of caller other stands in the file twice",
    ],
    "an upper-case id": [caller({ id: "Billing" }), /^callers\.0\.id: must be 1 to 63 of a-z, 0-9 and -/],
    "an id that YAML reads as a number": ["callers: [{ id: 7 }]", /^callers\.0\.id: .*received number$/],
    "a hash in upper case": [
      caller({ keys: [{ sha256: sha256.toUpperCase() }] }),
      "callers.0.keys.0.sha256: must be the lower-case hex SHA-256 of the whole key",
    ],
    "the key itself": [
      caller({ keys: [{ sha256: key }] }),
      /^callers\.0\.keys\.0\.sha256: must be the lower/,
    ],
    "the key as a list item": [caller({ keys: [key] }), /^callers\.0\.keys\.0: .*received string$/],
    "the key as a field": [caller({ [key]: 1 }), 'callers.0: Unrecognized key: "cgw_billing_[redacted]"'],
    "the hash as a field": [caller({ [sha256]: 1 }), 'callers.0: Unrecognized key: "[hash]"'],
    "the hash as a permission": [grant({ permissions: [sha256] }), /"\[hash\]" is not a permission/],
    "an expiry without time": [
      caller({ keys: [{ sha256, expires_at: "2027-01-01" }] }),
      "callers.0.keys.0.expires_at: must be a time such as 2027-01-01T00:00:00Z",
    ],
    "an expiry without zone": [
      caller({ keys: [{ sha256, expires_at: "2027-01-01T00:00:00" }] }),
      /expires_at: must be a time such as/,
    ],
    "an expiry on 30 February": [
      caller({ keys: [{ sha256, expires_at: "2027-02-30T00:00:00Z" }] }),
      /expires_at: must be a time such as/,
    ],
    "an unknown permission": [
      grant({ permissions: ["listApiApp", "listApiApps"] }),
      `callers.0.grants.0.permissions.1: "listApiApps" is not a permission; known are ${known}`,
    ],
    "no permission": [grant({ permissions: [] }), /permissions: a grant without permissions grants nothing$/],
    "no apps": [grant({ api_app_ids: [] }), /api_app_ids: Too small/],
    "a word other than all": [
      grant({ api_app_ids: "any" }),
      /api_app_ids: must be "all" or a list of app ids/,
    ],
    "an app id with a slash": [grant({ api_app_ids: ["a/b"] }), /api_app_ids\.0: .*must match pattern/],
  };
  for (const [name, [content, message]] of Object.entries(cases)) {
    const found = refusalOf(t, content);
    if (typeof message === "string") t.equal(found, message, name);
    else t.match(found, message, name);
  }
});

t.test("an unquoted app id of 19 digits is refused with the way out", async (t) => {
  const file = (id: string) =>
    `callers: [{ id: a, grants: [{ permissions: [listApiApp], api_app_ids: [${id}] }] }]`;
  t.equal(
    refusalOf(t, file("7512045450401153075")),
    'callers.0.grants.0.api_app_ids: must be "all" or a list of app ids; quote the ids, 19 digits do not fit a number',
  );
  t.same(parsePolicy(file('"7512045450401153075"')).callers[0]?.grants[0]?.api_app_ids, [
    "7512045450401153075",
  ]);
});

t.test("every mistake of the file is named at once", async (t) => {
  const message = refusalOf(t, stringify({ callers: [{ id: "A" }, { id: "b", keys: [{}], grants: [{}] }] }));
  t.same(
    message.split(/; (?=callers)/).map((line) => line.split(":")[0]),
    [
      "callers.0.id",
      "callers.1.keys.0.sha256",
      "callers.1.grants.0.permissions",
      "callers.1.grants.0.api_app_ids",
    ],
  );
});

t.test("a few lines of aliases that would expand to gigabytes are refused", async (t) => {
  const lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (let depth = 0; depth < 12; depth++) {
    const [name, before] = [`n${depth}`, depth === 0 ? "a" : `n${depth - 1}`];
    lines.push(`${name}: &${name} [${Array(10).fill(`*${before}`).join(", ")}]`);
  }
  t.equal(refusalOf(t, `${lines.join("\n")}\ncallers: *n11\n`), "YAML anchors and aliases are not allowed");
});

t.test("brackets nested beyond reason are refused", async (t) => {
  t.not(refusalOf(t, `callers: ${"[".repeat(50_000)}`), "(taken)");
});

t.test("a file with thousands of mistakes gives a message that fits a log line", async (t) => {
  const callers = Array.from({ length: 2_000 }, (_, index) => ({ id: `UPPER-${index}` }));
  t.throws(() => parsePolicy(stringify({ callers })), /; and 1950 more$/);
});
