import t from "tap";
import { appType, eventTypes, jsonObject, optionalString } from "../../src/sandbox/input.ts";
import { refusal } from "./helper.ts";

const input = (body: string, contentType = "application/json") => ({
  apiAppId: "75",
  query: {},
  contentType,
  body,
});
const refused = (msg: RegExp) => refusal(4000, msg);

t.test("a JSON object is read, whatever the parameters of its type", (t) => {
  for (const type of ["application/json", "Application/JSON; charset=utf-8", "application/json ;x"]) {
    t.same(jsonObject(input('{"a":1}', type)), { a: 1 });
  }
  t.end();
});

t.test("no body, another type, no JSON and no object are refused", (t) => {
  t.throws(() => jsonObject(input("")), refused(/a JSON body is required/));
  t.throws(() => jsonObject(input("{}", "text/plain")), refused(/Content-Type/));
  t.throws(() => jsonObject(input("{}", "application/jsonp")), refused(/Content-Type/));
  t.throws(() => jsonObject(input("{")), refused(/not valid JSON/));
  for (const body of ["null", "[]", "1", '"x"']) {
    t.throws(() => jsonObject(input(body)), refused(/must be a JSON object/));
  }
  t.end();
});

t.test("an optional string", (t) => {
  t.equal(optionalString({ name: "x" }, "name"), "x");
  t.equal(optionalString({}, "name"), undefined);
  for (const name of ["", 1, null, []]) {
    t.throws(() => optionalString({ name }, "name"), refused(/name must be a non-empty string/));
  }
  t.end();
});

t.test("app_type", (t) => {
  t.equal(appType({ app_type: "normal" }), "normal");
  t.equal(appType({ app_type: "connector" }), "connector");
  t.equal(appType({}), undefined);
  for (const app_type of ["", "Normal", 1, null, ["normal", "normal"]]) {
    t.throws(() => appType({ app_type }), refused(/app_type must be normal or connector/));
  }
  t.end();
});

t.test("event_types", (t) => {
  t.same(eventTypes(input('{"event_types":["bot.published","not.known"]}')), ["bot.published", "not.known"]);
  t.throws(() => eventTypes(input("{}")), refused(/event_types is required/));
  for (const list of ["null", "[]", '"bot.published"', "{}"]) {
    t.throws(() => eventTypes(input(`{"event_types":${list}}`)), refused(/non-empty list/));
  }
  for (const list of ['[""]', "[1]", '["bot.published",null]']) {
    t.throws(() => eventTypes(input(`{"event_types":${list}}`)), refused(/non-empty string/));
  }
  t.end();
});
