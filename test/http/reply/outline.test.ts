import t from "tap";
import { parseJsonTree } from "../../../src/http/reply/json-tree.ts";
import { outlineOf } from "../../../src/http/reply/outline.ts";

/** The outline of a text, and what stands where it says. */
function outline(text: string) {
  const found = outlineOf(parseJsonTree(Buffer.from(text).toString("latin1")));
  const at = ({ start, end }: { start: number; end: number }) => text.slice(start, end);
  return {
    ...found,
    secrets: found.secrets.map((secret) => [at(secret), secret.appId]),
    items: found.lists.map((items) => items.map(({ facts }) => facts)),
    texts: found.lists.map((items) => items.map(at)),
  };
}

t.test("secrets at any depth, however their name is written, with the id beside them", async (t) => {
  const cases: Record<string, [value: string, appId: string | undefined][]> = {
    "{}": [],
    '"verify_token"': [],
    '["verify_token"]': [],
    '{"name":"verify_token"}': [],
    '{"Verify_token":1,"verify_token ":2}': [],
    '{"verify_token":"s"}': [['"s"', undefined]],
    '{"verify_token":"s","id":"7"}': [['"s"', "7"]],
    '{"id":"7","verif\\u0079\\u005Ftoken":"s"}': [['"s"', "7"]],
    '{"\\u0069d":"\\u0037","verify_token":"s"}': [['"s"', "7"]],
    '{"verify_token":null,"id":"7","verify_token":[1, {}]}': [
      ["null", "7"],
      ["[1, {}]", "7"],
    ],
    '{"data":{"items":[[{"x":{"verify_token":"s"}}]],"id":"7"}}': [['"s"', undefined]],
    '{"id":"7","verify_token":{"id":"8","verify_token":"s"}}': [
      ['{"id":"8","verify_token":"s"}', "7"],
      ['"s"', "8"],
    ],
  };
  for (const [text, expected] of Object.entries(cases)) t.strictSame(outline(text).secrets, expected, text);
});

t.test("an id that is doubtful is none", async (t) => {
  const cases: Record<string, string | undefined> = {
    '"id":"7512345678901234567"': "7512345678901234567",
    '"id":"cli_a-B"': "cli_a-B",
    '"id":"7","id":"7"': "7",
    '"id":"7","id":"8"': undefined,
    '"id":"7","id":7': undefined,
    '"id":7,"id":"7"': undefined,
    '"id":7': undefined,
    '"id":null': undefined,
    '"id":["7"]': undefined,
    '"id":""': undefined,
    '"id":"7 "': undefined,
    '"id":"７"': undefined,
    '"id":"\\u00e9"': undefined,
    '"Id":"7"': undefined,
    '"api_app_id":"7"': undefined,
  };
  for (const [members, id] of Object.entries(cases)) {
    t.strictSame(outline(`{"verify_token":"s",${members}}`).secrets, [['"s"', id]], members);
    t.strictSame(outline(`{"data":{${members}}}`).dataIds, [id], members);
  }
});

t.test("the items of data.items, and what they say of themselves", async (t) => {
  const cases: Record<string, unknown> = {
    '{"id":"7"}': { id: "7" },
    '{"id":"7","app_type":"normal","name":7,"verify_token":null}': { id: "7", app_type: "normal" },
    '{"api_app_id":"7","event_type":"bot.deleted"}': { api_app_id: "7", event_type: "bot.deleted" },
    '{"id":"7","app_type":"normal","app_type":"normal"}': { id: "7", app_type: "normal" },
    '{"id":"7","app_type":"normal","app_type":"connector"}': undefined,
    '{"id":"7","app_type":1}': undefined,
    '{"id":"7","app_type":null}': undefined,
    '{"id":"7","event_type":"bot.\\u00e9"}': undefined,
    '{"id":"7","event_type":"bot.é"}': undefined,
    '{"id":"7","api_app_id":"a b"}': undefined,
    '{"id":"a b","api_app_id":"7"}': undefined,
    '{"id":7}': undefined,
    '{"app_type":"normal","event_type":"bot.deleted"}': undefined,
    "{}": undefined,
    '"7"': undefined,
    "7": undefined,
    '[{"id":"7"}]': undefined,
  };
  for (const [item, facts] of Object.entries(cases)) {
    const { items, texts, listsAreSure } = outline(`{"data":{"items":[ ${item} ]}}`);
    t.strictSame(items, [[facts]], item);
    if (!item.includes("é")) t.strictSame(texts, [[item]], "where it stands");
    t.ok(listsAreSure);
  }
  t.strictSame(outline('{"d\\u0061ta":{"item\\u0073":[]}}').items, [[]]);
  t.strictSame(
    outline('{"data":{"items":[{"id":"1"}],"items":[{"id":"2"}]},"data":{"items":[{"id":"3"}]}}').items,
    [[{ id: "1" }], [{ id: "2" }], [{ id: "3" }]],
    "all of those that are there twice",
  );
  for (const text of ['{"items":[1]}', '{"data":{"data":{"items":[1]}}}', '{"detail":{"items":[1]}}', "[]"]) {
    t.strictSame(outline(text).items, [], text);
  }
});

t.test("whether it can be known what a list would show", async (t) => {
  for (const text of [
    "{}",
    '{"data":null}',
    '{"data":{}}',
    '{"data":{"items":null}}',
    '{"data":{"items":[]}}',
  ]) {
    t.ok(outline(text).listsAreSure, text);
  }
  for (const data of ["[]", '""', "1", '{"items":{}}', '{"items":"[]"}', '{"items":[],"items":true}']) {
    t.notOk(outline(`{"data":${data}}`).listsAreSure, data);
  }
});

t.test("a list that stands elsewhere makes all lists unsure", async (t) => {
  const sure = (text: string) => outline(text).listsAreSure;
  for (const text of [
    '{"data":{"items":[{"id":"7","tags":["a",["b"]]}],"has_more":true,"total":3},"detail":{"logid":"x"}}',
    '{"data":{"items":null}}',
    '{"code":0}',
  ])
    t.equal(sure(text), true, text);
  for (const text of [
    '{"data":{"apps":[{"id":"7"}]}}',
    '{"data":{"items":[]},"items":[{"id":"7"}]}',
    '{"data":{"data":{"items":[{"id":"7"}]}}}',
    '{"data":{"Items":[{"id":"7"}]}}',
    '{"data":[{"id":"7"}]}',
  ])
    t.equal(sure(text), false, text);
});
