import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { operations } from "../../src/operations/registry.ts";
import { callersYaml } from "../helpers/gateway.ts";
import { start } from "./helper.ts";
import { until } from "./wire.ts";

t.test("there is a route for each operation and none else under /v1", async (t) => {
  const { gateway } = await start(t);
  for (const { method, path } of operations) t.ok(gateway.app.hasRoute({ method, url: path }), path);
  const tree = gateway.app.printRoutes({ commonPrefix: false });
  const methods = [...tree.matchAll(/\(([A-Z, ]+)\)/g)].flatMap(([, list]) => list?.split(", ") ?? []);
  t.equal(methods.filter((method) => method !== "GET" && method !== "HEAD").length, 5, tree);
  t.notMatch(methods, ["HEAD"]);
});

t.test("a policy that changes holds for the next request", async (t) => {
  const { call, folder, key, lines } = await start(t);
  t.equal((await call("GET", "/v1/api_apps")).status, 200);
  await writeFile(join(folder, "callers.yaml"), callersYaml([{ id: "tester", key, grants: [] }]));
  await until(() => lines().filter(({ event }) => event === "callers_loaded").length === 2);
  t.equal((await call("GET", "/v1/api_apps")).status, 403);
});
