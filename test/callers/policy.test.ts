import t from "tap";
import { stringify as toYaml } from "yaml";
import { hashKey, mintKey } from "../../src/callers/key.ts";
import { emptyPolicy, parsePolicy } from "../../src/callers/policy.ts";
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
  t.strictSame(second, {
    id: "nobody-yet",
    keys: [],
    identities: [],
    grants: [],
    rate_limits: {},
    weight: 1,
  });
  t.strictSame(first?.grants[1], {
    permissions: ["updateApiApp"],
    api_app_ids: ["7512045450401153075", "another_App-1"],
  });
  t.equal(credentials.size, 2);
  t.strictSame(credentials.get(sha256), {
    caller: first,
    kind: "key",
    id: sha256.slice(0, 16),
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
      /api_app_ids: must be "all", "own" or a list of app ids/,
    ],
    "own in a list": [
      grant({ api_app_ids: ["own"] }),
      /api_app_ids: write all or own by itself, not in a list/,
    ],
    "all in a list": [grant({ api_app_ids: ["7", "all"] }), /api_app_ids: write all or own by itself/],
    "an unknown app type": [grant({ app_types: ["any"] }), /app_types\.0: Invalid option/],
    "a malformed event type": [grant({ event_types: ["bot..x"] }), /event_types\.0: .*must match pattern/],
    "a limit that the permission cannot keep to": [
      grant({ permissions: ["listApiApp", "deleteApiApp"], app_types: ["normal"] }),
      "callers.0.grants.0.permissions.1: deleteApiApp cannot be limited by app_types; put it into a grant of its own",
    ],
    "two limits at once": [
      grant({ app_types: ["normal"], event_types: ["bot.published"] }),
      /permissions\.0: listApiApp cannot be limited by app_types and event_types;/,
    ],
    "a rate that is none": [
      caller({ rate_limits: { read: "fast" } }),
      /rate_limits\.read: must be a rate such as 100\/s/,
    ],
    "a class of requests that is none": [
      caller({ rate_limits: { all: "1/s" } }),
      'callers.0.rate_limits: Unrecognized key: "all"',
    ],
    "a weight of nothing": [caller({ weight: 0 }), /weight: Too small/],
    "three live keys": [
      caller({ keys: ["1", "2", "3"].map((digit) => ({ sha256: digit.repeat(64) })) }),
      "caller billing has 3 live keys; 2 are enough to rotate, so remove the oldest",
    ],
    "an identity of an issuer that is not there": [
      caller({ identities: [{ issuer: "cluster", subject: "a" }] }),
      'caller billing names the issuer "cluster", which is not in issuers',
    ],
    "an identity without a subject": [
      caller({ identities: [{ issuer: "cluster" }] }),
      /identities\.0: must be issuer and subject, or/,
    ],
    "a subject that no token is taken with": [
      caller({ identities: [{ issuer: "cluster", subject: "system:serviceaccount:billing:*" }] }),
      /identities\.0/,
    ],
    "a prefix that ends in the middle of a word": [
      caller({ identities: [{ issuer: "cluster", subject_prefix: "system:serviceaccount:bill" }] }),
      /identities\.0\.?.*: must/,
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
    'callers.0.grants.0.api_app_ids: must be "all", "own" or a list of app ids; quote the ids, 19 digits do not fit a number',
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

const issuers = [
  {
    name: "cluster",
    issuer: "https://cluster.example",
    audiences: ["coze-gateway"],
    jwks_file: "/keys.json",
  },
  { name: "people", issuer: "https://people.example", audiences: ["coze-gateway"], jwks_file: "/keys.json" },
];
const identityFile = (...callers: readonly object[]) => stringify({ issuers, callers });

t.test("a subject stands for the caller that names it, else for that of the longest prefix", async (t) => {
  const { callerOf } = parsePolicy(
    identityFile(
      { id: "all", identities: [{ issuer: "cluster", subject_prefix: "system:serviceaccount:" }] },
      {
        id: "billing",
        identities: [{ issuer: "cluster", subject_prefix: "system:serviceaccount:billing:" }],
      },
      { id: "worker", identities: [{ issuer: "cluster", subject: "system:serviceaccount:billing:worker" }] },
      { id: "anna", identities: [{ issuer: "people", subject: "anna" }] },
    ),
  );
  const cases: [issuer: string, subject: string, caller: string | undefined][] = [
    ["cluster", "system:serviceaccount:billing:worker", "worker"],
    ["cluster", "system:serviceaccount:billing:worker2", "billing"],
    ["cluster", "system:serviceaccount:billing2:worker", "all"],
    ["cluster", "system:serviceaccount", undefined],
    ["cluster", "anna", undefined],
    ["people", "anna", "anna"],
    ["people", "Anna", undefined],
    ["people", "system:serviceaccount:billing:worker", undefined],
    ["nobody", "anna", undefined],
  ];
  for (const [issuer, subject, caller] of cases) t.equal(callerOf(issuer, subject)?.id, caller, subject);
});

t.test("issuers and identities that stand twice", async (t) => {
  const identity = { issuer: "cluster", subject: "system:serviceaccount:billing:worker" };
  const file = identityFile({ id: "one", identities: [identity] }, { id: "two", identities: [identity] });
  t.equal(refusalOf(t, file), "an identity of caller two stands in the file twice");
  const [cluster] = issuers;
  t.equal(
    refusalOf(t, stringify({ issuers: [cluster, cluster], callers: [] })),
    "issuers.1.name: stands in the file twice; issuers.1.issuer: stands in the file twice",
  );
});

t.test("a third key is allowed when one of them has expired", async (t) => {
  const keys = ["1", "2", "3"].map((digit) => ({ sha256: digit.repeat(64) }));
  const [first, ...others] = keys;
  const file = stringify({
    callers: [{ id: "a", keys: [{ ...first, expires_at: "2026-01-01T00:00:00Z" }, ...others] }],
  });
  t.equal(parsePolicy(file, Date.UTC(2026, 0, 1)).credentials.size, 3);
  t.throws(() => parsePolicy(file, Date.UTC(2025, 11, 31)), /has 3 live keys/);
});

t.test("ids that differ in case are different apps, and no different callers", async (t) => {
  const file = (id: string, app: string) =>
    stringify({ callers: [{ id, grants: [{ permissions: ["listApiApp"], api_app_ids: [app] }] }] });
  t.same(parsePolicy(file("abc", "ABC")).callers[0]?.grants[0]?.api_app_ids, ["ABC"]);
  t.match(refusalOf(t, file("ABC", "abc")), /^callers\.0\.id: must be 1 to 63 of a-z/);
});

t.test("the version follows the content", async (t) => {
  const versions = ["callers: []", "callers: [] ", "callers: []"].map((text) => parsePolicy(text).version);
  t.match(versions[0], /^[0-9a-f]{16}$/);
  t.equal(versions[0], versions[2]);
  t.not(versions[0], versions[1]);
});

t.test("before there is a file nobody is known", async (t) => {
  t.equal(emptyPolicy.callerOf("cluster", "anybody"), undefined);
  t.strictSame([emptyPolicy.callers.length, emptyPolicy.credentials.size], [0, 0]);
});
