import t from "tap";
import type { ChainPoint, StoredRow } from "../../../src/audit/store.ts";
import { chainPage, chainPages, pageSize, pointOf } from "../../../src/audit/verify/pages.ts";
import { listed, stored } from "../listed.ts";
import { Trail } from "../rows.ts";

const rows = stored([...new Trail("a.1").rows(300), ...new Trail("b.1").rows(300)]);

t.test("all rows in the order of chains, page by page", async (t) => {
  const { store } = listed(rows.toReversed());
  const pages: StoredRow[][] = [];
  for await (const page of chainPages(store)) pages.push(page);
  t.strictSame(
    pages.map(({ length }) => length),
    [pageSize, pageSize, 600 - 2 * pageSize],
  );
  t.strictSame(pages.flat(), rows);
});

t.test("a page is fetched while the one before it is worked on", async (t) => {
  const { store, asked } = listed(rows);
  const pages = chainPages(store);
  await pages.next();
  t.equal(asked.chain, 2);
  await pages.return(undefined);
});

t.test("a page that cannot be fetched is told to whoever asks for it", async (t) => {
  const { store } = listed(rows);
  const chain = async (after: ChainPoint | undefined, limit: number) => {
    if (after) throw new Error("gone");
    return store.chain(after, limit);
  };
  const pages = chainPages({ chain });
  t.equal((await pages.next()).value?.length, pageSize);
  // Long enough for an error that nobody takes to end the process.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await t.rejects(pages.next(), { message: "gone" });
});

t.test("a store that goes back is not followed for ever", async (t) => {
  const [first, second, third] = stored(new Trail("b.1").rows(3)) as [StoredRow, StoredRow, StoredRow];
  const giving = (row: StoredRow) => ({ chain: async () => [row] });
  const error = { name: "StoreError", permanent: true, message: /in their order/ };
  for (const row of [first, second, { ...third, stream: "a.1" }, { ...second, position: 1 }]) {
    await t.rejects(chainPage(giving(row), pointOf(second), 1), error);
  }
  for (const row of [third, { ...second, position: 3 }, { ...first, stream: "b.1é" }]) {
    t.strictSame(await chainPage(giving(row), pointOf(second), 1), [row]);
  }
  t.strictSame(await chainPage(giving(second), { stream: "b.1", seq: 2 }, 1), [second]);
  t.strictSame(await chainPage({ chain: async () => [] }, pointOf(second), 1), []);
});
