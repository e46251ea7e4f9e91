import {
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { getuid } from "node:process";
import t from "tap";
import { reasonOf, replaceFile } from "../../../src/commands/keys/replace-file.ts";

const old = Buffer.from("old");
const fresh = Buffer.from("new");

/** A file of its own that holds "old". */
function file(t: Pick<typeof import("tap").t, "testdir">, name = "callers.yaml") {
  return join(t.testdir({ [name]: "old" }), name);
}

t.test("replaces the content in one step; mode and owner stay, and nothing is left beside", async (t) => {
  const path = file(t);
  await chmod(path, 0o640);
  if (getuid?.() === 0) await chown(path, 1234, 5678);
  const before = await stat(path);
  const reader = await open(path);
  t.teardown(() => reader.close());
  await replaceFile(path, old, fresh);
  t.equal(await readFile(path, "utf8"), "new");
  t.equal(await reader.readFile("utf8"), "old", "who has it open reads the old one whole");
  const { mode, uid, gid, ino } = await stat(path);
  t.strictSame([mode, uid, gid], [before.mode, before.uid, before.gid]);
  t.not(ino, before.ino);
  t.strictSame(await readdir(dirname(path)), ["callers.yaml"]);
});

t.test("a link stays a link, what it leads to is replaced", async (t) => {
  const path = file(t);
  const link = join(dirname(path), "link");
  await symlink("callers.yaml", link);
  await replaceFile(link, old, fresh);
  t.equal(await readFile(path, "utf8"), "new");
  t.equal(await readlink(link), "callers.yaml");
});

t.test("a file that holds something else by now is left alone", async (t) => {
  const path = file(t);
  await t.rejects(replaceFile(path, Buffer.from("older"), fresh), {
    name: "NotReplaced",
    message: "was changed by somebody else meanwhile; try again",
  });
  t.equal(await readFile(path, "utf8"), "old");
  t.strictSame(await readdir(dirname(path)), ["callers.yaml"], "and no other file beside it");
});

t.test("what Kubernetes mounts is left alone, even where it can be written", async (t) => {
  const folder = t.testdir({});
  await mkdir(join(folder, "..2027_01_31_08_00_00.123"));
  await writeFile(join(folder, "..2027_01_31_08_00_00.123", "callers.yaml"), "old");
  await symlink("..2027_01_31_08_00_00.123", join(folder, "..data"));
  await symlink(join("..data", "callers.yaml"), join(folder, "callers.yaml"));
  const path = join(folder, "callers.yaml");
  await t.rejects(replaceFile(path, old, fresh), {
    message: "is mounted from a Kubernetes Secret or ConfigMap",
  });
  t.equal(await readFile(path, "utf8"), "old");
});

t.test("what the system refuses is told by its reason", async (t) => {
  // With its temporary name it would be longer than a file name can be.
  const path = file(t, `${"x".repeat(250)}.yaml`);
  await t.rejects(replaceFile(path, old, fresh), { message: "cannot be replaced (ENAMETOOLONG)" });
  t.equal(await readFile(path, "utf8"), "old");
  const gone = file(t);
  await rename(gone, `${gone}.bak`);
  await t.rejects(replaceFile(gone, old, fresh), { message: "is not there any more" });
  t.match(reasonOf(Object.assign(new Error(), { code: "EROFS" })), "read-only");
  t.match(reasonOf(Object.assign(new Error(), { code: "EACCES" })), "this user");
  t.match(reasonOf(Object.assign(new Error(), { code: "EPERM" })), "owner");
  t.match(reasonOf(Object.assign(new Error(), { code: "EBUSY" })), "mount");
  t.equal(reasonOf(new Error("x")), "cannot be replaced (unknown trouble)");
});

t.test("a folder that this user may not write", { skip: getuid?.() === 0 && "root may" }, async (t) => {
  const path = file(t);
  await chmod(dirname(path), 0o500);
  t.teardown(() => chmod(dirname(path), 0o700));
  await t.rejects(replaceFile(path, old, fresh), { message: "may not be replaced by this user" });
});

t.test("readers see all of the old or all of the new, never a part", async (t) => {
  const path = file(t);
  const texts = Array.from({ length: 40 }, (_, turn) => Buffer.from(`${turn} `.repeat(20_000)));
  let known = old;
  let reading = true;
  const seen: string[] = [];
  const reader = (async () => {
    while (reading) seen.push(await readFile(path, "utf8"));
  })();
  for (const text of texts) {
    await replaceFile(path, known, text);
    known = text;
  }
  reading = false;
  await reader;
  const whole = new Set(["old", ...texts.map(String)]);
  t.ok(seen.every((text) => whole.has(text)));
  t.ok(seen.length > 0);
});
