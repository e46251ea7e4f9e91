import { readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { contentAt, createFile, fileAt } from "../../../src/audit/sqlite/path.ts";

const modeOf = (path: string) => statSync(path).mode & 0o777;

t.test("a file is created for this user alone, with its folders", async (t) => {
  const folder = t.testdir();
  const path = join(folder, "one", "two", "file");
  createFile(path);
  t.equal(readFileSync(path, "utf8"), "");
  t.equal(modeOf(path), 0o600);
  t.equal(modeOf(join(folder, "one")), 0o700);
  t.equal(modeOf(join(folder, "one", "two")), 0o700);
});

t.test("a file that is there stays as it is", async (t) => {
  const path = join(t.testdir({ file: "content" }), "file");
  createFile(path);
  t.equal(readFileSync(path, "utf8"), "content");
});

t.test("what cannot be created is reported", async (t) => {
  const folder = t.testdir({ file: "" });
  t.throws(() => createFile(join(folder, "file", "below")), {
    name: "StoreError",
    permanent: false,
    message: /^audit store .*below: could not create the file: EEXIST: file already exists, mkdir/,
  });
  t.throws(() => createFile(`${folder}/${"n".repeat(300)}`), { message: /ENAMETOOLONG/ });
});

t.test("a file is told from another one at the same path, whatever its content", async (t) => {
  const folder = t.testdir({ file: "content", other: "content" });
  const path = join(folder, "file");
  const first = fileAt(path);
  t.type(first, "string");
  writeFileSync(path, "changed");
  t.equal(fileAt(path), first);
  renameSync(path, join(folder, "away"));
  t.equal(fileAt(path), undefined);
  renameSync(join(folder, "other"), path);
  t.not(fileAt(path), first);
  rmSync(path);
  renameSync(join(folder, "away"), path);
  t.equal(fileAt(path), first);
  t.equal(fileAt(join(path, "below")), undefined);
});

t.test("a changed content is seen", async (t) => {
  const path = join(t.testdir({ file: "content" }), "file");
  const first = contentAt(path);
  t.equal(contentAt(path), first);
  utimesSync(path, 1, 1);
  const second = contentAt(path);
  t.not(second, first);
  writeFileSync(path, "longer content");
  utimesSync(path, 1, 1);
  t.not(contentAt(path), second);
  t.equal(contentAt(`${path}.none`), undefined);
});
