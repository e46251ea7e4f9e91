import { execFileSync, spawn } from "node:child_process";
import fs, { mkdir, open, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { WatchedFile } from "../../src/config/watched-file.ts";
import { eventually } from "./eventually.ts";

/** What tap gives a test, as far as it is needed here. */
type Scope = Pick<typeof t, "testdir" | "teardown">;

/** A watched text file in a folder of its own; a content that holds "broken" is refused. */
async function watch(t: Scope, first: string | undefined, intervalMs = 10) {
  const folder = t.testdir(first === undefined ? {} : { file: first });
  const path = join(folder, "file");
  const changes: string[] = [];
  const errors: string[] = [];
  let recovered = 0;
  const file = await WatchedFile.open({
    path,
    onRecovered: () => {
      recovered += 1;
    },
    parse: (content) => {
      if (content.includes("broken")) throw new Error("it is broken");
      if (content.includes("odd")) throw "not an Error";
      if (content.length === 0) throw new Error("it is empty");
      return content.toString();
    },
    maxBytes: 100,
    intervalMs,
    onChange: (value) => void changes.push(value),
    onError: ({ message }) => void errors.push(message),
  });
  t.teardown(() => file.close());
  return { path, file, changes, errors, recovered: () => recovered };
}

const never = 3_600_000;

t.test("a changed content is seen by polling, and once", async (t) => {
  const { path, file, changes, errors } = await watch(t, "one");
  t.equal(file.value, "one");
  t.strictSame(changes, ["one"]);
  await writeFile(path, "two");
  await eventually("the new content", () => file.value === "two");
  await writeFile(path, "two");
  await file.refresh();
  await file.refresh();
  t.strictSame(changes, ["one", "two"]);
  t.strictSame(errors, []);
  t.equal(file.trouble, undefined);
});

t.test("the interval has a default that is well below 2 s", async (t) => {
  const path = join(t.testdir({ file: "one" }), "file");
  const file = await WatchedFile.open({ path, parse: String, maxBytes: 100 });
  t.teardown(() => file.close());
  await writeFile(path, "two");
  await eventually("the new content", () => file.value === "two");
  await writeFile(path, "a content that is longer than the limit".repeat(3));
  await eventually("trouble without anybody listening", () => file.trouble);
  t.equal(file.value, "two");
});

t.test("a volume of Kubernetes: ..data is swapped 50 times", async (t) => {
  const folder = t.testdir();
  const swap = async (version: number) => {
    const data = `..2027_01_01_${version}`;
    await mkdir(join(folder, data));
    await writeFile(join(folder, data, "token"), `token ${version}`);
    await symlink(data, join(folder, "..data_tmp"));
    const before = await readFile(join(folder, "..data", "token"), "utf8").catch(() => undefined);
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    if (before) await rm(join(folder, `..2027_01_01_${version - 1}`), { recursive: true });
  };
  await swap(0);
  await symlink(join("..data", "token"), join(folder, "token"));
  const changes: string[] = [];
  const file = await WatchedFile.open({
    path: join(folder, "token"),
    parse: String,
    maxBytes: 100,
    intervalMs: 5,
    onChange: (value) => void changes.push(value),
  });
  t.teardown(() => file.close());
  for (let version = 1; version <= 50; version++) {
    await swap(version);
    await eventually(`version ${version}`, () => file.value === `token ${version}`);
  }
  t.strictSame(
    changes,
    Array.from({ length: 51 }, (_, version) => `token ${version}`),
  );
});

t.test(
  "whatever becomes of the file, the last good value stays, and each trouble is told once",
  async (t) => {
    const { path, file, changes, errors, recovered } = await watch(t, "good", never);
    const troubles: Record<string, [make: () => Promise<unknown>, message: RegExp]> = {
      missing: [async () => undefined, /^ENOENT/],
      empty: [() => writeFile(path, ""), /^it is empty$/],
      broken: [() => writeFile(path, "broken"), /^it is broken$/],
      "refused with something that is no Error": [() => writeFile(path, "odd"), /^not an Error$/],
      "a directory": [() => mkdir(path), /^not a regular file$/],
      "a pipe": [async () => execFileSync("mkfifo", [path]), /^not a regular file$/],
      "a dangling link": [() => symlink("nothing", path), /^ENOENT/],
      "a link to itself": [() => symlink("file", path), /^ELOOP/],
      "too large": [() => writeFile(path, "x".repeat(101)), /^larger than 100 bytes$/],
    };
    for (const [name, [make, message]] of Object.entries(troubles)) {
      errors.length = 0;
      await rm(path, { recursive: true });
      await make();
      for (const _ of "123") await file.refresh();
      t.equal(errors.length, 1, `${name}: told once`);
      t.match(errors[0], message, name);
      t.match(file.trouble?.message, message, name);
      t.equal(file.value, "good", `${name}: the last good value stays`);
      await rm(path, { recursive: true, force: true });
      await writeFile(path, "good");
      await file.refresh();
      t.equal(file.trouble, undefined, `${name}: over when the old content is back`);
    }
    t.strictSame(changes, ["good"], "the old content is no change");
    t.equal(recovered(), Object.keys(troubles).length, "but each recovery is told");
  },
);

t.test("a file that may not be read", async (t) => {
  const { path, file, errors } = await watch(t, "good", never);
  execFileSync("chmod", ["000", path]);
  // Root may read all, so it becomes nobody for the time of the look.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  await file.refresh();
  if (isRoot) process.seteuid?.(0);
  t.match(errors, [/^EACCES/]);
  t.equal(file.value, "good");
});

t.test("one trouble after another is told each time, the same one again is not", async (t) => {
  const { path, file, errors } = await watch(t, "good", never);
  for (const content of ["broken", "broken in another way", "", "", "broken"]) {
    await writeFile(path, content);
    await file.refresh();
  }
  t.strictSame(errors, ["it is broken", "it is empty", "it is broken"]);
  await writeFile(path, "better");
  await file.refresh();
  t.equal(file.value, "better");
  t.equal(file.trouble, undefined);
});

t.test("a file that is missing at the start is taken when it comes", async (t) => {
  const { path, file, changes, errors } = await watch(t, undefined);
  t.equal(file.value, undefined);
  t.match(file.trouble?.message, /^ENOENT/);
  await writeFile(path, "late");
  await eventually("the file", () => file.value === "late");
  t.strictSame(changes, ["late"]);
  t.equal(errors.length, 1);
});

for (const start of ["whole one", undefined]) {
  t.test(`a file in the middle of being written is never taken (${start ?? "nothing"} before)`, async (t) => {
    const { path, file, changes } = await watch(t, start, never);
    const handle = await open(path, "w");
    await handle.write("half");
    const look = file.refresh();
    // The look has read "half" long before it believes it; the rest comes in between.
    await handle.write(" and whole");
    await handle.close();
    await look;
    await file.refresh();
    t.equal(file.value, "half and whole");
    t.notOk(changes.includes("half"));
  });
}

t.test("a writer that truncates and pauses while the file is looked at all the time", async (t) => {
  const whole = (version: number) => `<${String(version).repeat(40)}>`;
  const { path, file, changes } = await watch(t, whole(0), 1);
  for (let version = 1; version <= 5; version++) {
    const handle = await open(path, "w");
    await handle.write(whole(version).slice(0, 20));
    await handle.write(whole(version).slice(20));
    await handle.close();
    await eventually(`version ${version}`, () => file.value === whole(version));
  }
  for (const change of changes) t.match(change, /^<.{40}>$/);
});

t.test("who asks during a look gets one that began later, shared by all who ask meanwhile", async (t) => {
  const { path, file, changes } = await watch(t, "one", never);
  const look = file.refresh();
  // The look under way may have read already.
  await writeFile(path, "two");
  const next = file.refresh();
  t.not(next, look);
  t.equal(file.refresh(), next);
  await next;
  t.equal(file.value, "two");
  t.strictSame(changes, ["one", "two"]);
  t.not(file.refresh(), next, "later ones are new looks again");
  await file.refresh();
});

t.test("the poll does nothing while a look is under way", async (t) => {
  const path = join(t.testdir({ file: "one" }), "file");
  const polls: (() => void)[] = [];
  const { setInterval } = globalThis;
  const { stat } = fs;
  t.teardown(() => {
    Object.assign(fs, { stat });
    syncBuiltinESMExports();
  });
  Object.assign(globalThis, {
    setInterval: (poll: () => void) => {
      polls.push(poll);
      return setInterval(() => undefined, never);
    },
  });
  const file = await WatchedFile.open({ path, parse: String, maxBytes: 100 });
  Object.assign(globalThis, { setInterval });
  t.teardown(() => file.close());
  let looks = 0;
  Object.assign(fs, {
    stat: (found: string) => {
      looks += 1;
      return stat(found);
    },
  });
  syncBuiltinESMExports();
  await writeFile(path, "two");
  for (const _ of "123") for (const poll of polls) poll();
  await eventually("the new content", () => file.value === "two");
  await sleep(100);
  t.equal(looks, 2, "one look, which looks twice at what is new");
});

t.test("content that was refused is not parsed again as long as it stays", async (t) => {
  const path = join(t.testdir({ file: "good" }), "file");
  const parsed: string[] = [];
  const errors: string[] = [];
  const file = await WatchedFile.open({
    path,
    parse: (content) => {
      parsed.push(content.toString());
      if (content.includes("bad")) throw new Error(`refused ${content}`);
      return content.toString();
    },
    maxBytes: 10,
    intervalMs: never,
    onError: ({ message }) => void errors.push(message),
  });
  t.teardown(() => file.close());
  const show = async (content: string) => {
    await writeFile(path, content);
    for (const _ of "123") await file.refresh();
  };
  await show("bad");
  await show("x".repeat(11));
  await show("bad");
  t.strictSame(parsed, ["good", "bad"]);
  t.strictSame(errors, ["refused bad", "larger than 10 bytes", "refused bad"], "but told again");
  t.equal(file.trouble?.message, "refused bad");
  await show("worse, bad");
  await show("better");
  await show("bad");
  t.strictSame(parsed, ["good", "bad", "worse, bad", "better", "bad"]);
  t.equal(file.value, "better");
});

t.test("close ends the polling", async (t) => {
  const { path, file, changes, errors } = await watch(t, "one", 1);
  await file.refresh();
  file.close();
  await writeFile(path, "two");
  const other = await WatchedFile.open({ path: `${path}.other`, parse: String, maxBytes: 9, intervalMs: 1 });
  t.teardown(() => other.close());
  await writeFile(`${path}.other`, "seen");
  await eventually("what another one sees by polling as often", () => other.value === "seen");
  t.strictSame([changes, errors], [["one"], []]);
  await file.refresh();
  t.equal(file.value, "two", "a look by hand still works");
});

t.test("watching keeps no process alive", async (t) => {
  const module = new URL("../../src/config/watched-file.ts", import.meta.url).href;
  const path = join(t.testdir({ file: "one" }), "file");
  const script = `import { WatchedFile } from ${JSON.stringify(module)};
    const file = await WatchedFile.open({ path: ${JSON.stringify(path)}, parse: String, maxBytes: 9 });
    console.log(file.value);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  let printed = "";
  child.stdout.on("data", (chunk) => {
    printed += chunk;
  });
  await eventually("the end of the process", () => child.exitCode !== null);
  t.equal(child.exitCode, 0);
  t.equal(printed, "one\n");
});
