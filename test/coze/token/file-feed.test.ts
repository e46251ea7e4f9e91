import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { openFileFeed } from "../../../src/coze/token/file-feed.ts";
import type { FreshToken } from "../../../src/coze/token/source.ts";

t.test("tokens out of a file, and what becomes of it", async (t) => {
  const path = join(t.testdir({ token: "sat_FIRST_01234\n" }), "token");
  const tokens: FreshToken[] = [];
  const told: string[] = [];
  const feed = await openFileFeed(path, {
    onToken: (token) => void tokens.push(token),
    onRecovered: () => void told.push("recovered"),
    onError: ({ message }) => void told.push(message),
    onMintFailed: () => t.fail("nothing is minted"),
  });
  t.teardown(() => feed.close());
  t.strictSame(tokens, [{ value: "sat_FIRST_01234" }], "how long it lives is not known");
  t.equal(feed.pending(), undefined, "a file is not waited for");
  await rm(path);
  await feed.refresh();
  t.match(feed.trouble?.message, /ENOENT/);
  await writeFile(path, "sat_FIRST_01234\n");
  await feed.refresh();
  t.equal(feed.trouble, undefined);
  await writeFile(path, "sat_SECOND_0123");
  await feed.refresh();
  t.strictSame(tokens.slice(1), [{ value: "sat_SECOND_0123" }]);
  t.match(told, [/ENOENT/, "recovered"]);
});
