import t from "tap";
import { State } from "../../src/sandbox/state.ts";
import { refusal } from "./helper.ts";

const normal = { appType: "normal", connectorId: undefined, name: "order events" } as const;

t.test("a new app has a 19-digit id and a verify token of 60 characters", (t) => {
  const state = new State();
  const app = state.create(normal);
  t.match(app.id, /^75\d{17}$/);
  t.match(app.verifyToken, /^[A-Za-z0-9]{60}$/);
  t.match(app, { ...normal, callbackUrl: undefined });
  t.equal(state.app(app.id), app);
  const other = state.create(normal);
  t.not(other.id, app.id);
  t.not(other.verifyToken, app.verifyToken);
  t.ok(other.seq > app.seq);
  t.end();
});

t.test("an unknown app is 4200", (t) => {
  t.throws(
    () => new State().app("7500000000000000000"),
    refusal(4200, "Requested resource api_app_id=7500000000000000000 does not exist."),
  );
  t.end();
});

t.test("a repeated subscription keeps its place", (t) => {
  const state = new State();
  const app = state.create(normal);
  state.subscribe(app, "bot.published");
  state.subscribe(app, "bot.deleted");
  const before = [...app.events.values()];
  state.subscribe(app, "bot.published");
  t.same([...app.events.values()], before);
  t.end();
});
