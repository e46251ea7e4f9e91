import { existsSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openStore } from "../../src/audit/open-store.ts";
import { StoreUrl } from "../../src/config/store-url.ts";
import { Trail } from "./rows.ts";

t.test("sqlite: names a file", async (t) => {
  const path = join(t.testdir(), "audit.db");
  const url = new StoreUrl(`sqlite:${path}`);
  await t.rejects(openStore({ url }, {}), { name: "StoreError", permanent: true });
  t.notOk(existsSync(path));
  const store = await openStore({ url }, { stream: "a.1" });
  await store.append(new Trail("a.1").rows(1), undefined);
  await store.close();
  t.ok(existsSync(path));
  const reader = await openStore({ url }, {});
  t.equal((await reader.heads()).length, 1);
  await reader.close();
});
