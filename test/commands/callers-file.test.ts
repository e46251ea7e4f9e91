import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { readCallersFile } from "../../src/commands/callers-file.ts";
import { problemsOf } from "./files.ts";

t.test("reads the file that the variable names", async (t) => {
  const folder = t.testdir({ "callers.yaml": "callers: []" });
  const path = join(folder, "callers.yaml");
  t.strictSame(await readCallersFile({ CALLERS_FILE: path }, String), { path, value: "callers: []" });
});

t.test("what cannot be read is a mistake of the configuration", async (t) => {
  const folder = t.testdir({});
  const at = (name: string) => ({ CALLERS_FILE: join(folder, name) });
  const read = (environment: { CALLERS_FILE?: string }) =>
    problemsOf(
      readCallersFile(environment, () => {
        throw new Error("no good");
      }),
    );
  await mkdir(join(folder, "folder"));
  await writeFile(join(folder, "big"), "x".repeat(4 * 1024 * 1024 + 1));
  await writeFile(join(folder, "bad"), "x");
  t.match(await read({}), [/^CALLERS_FILE: missing; name/]);
  t.match(await read({ CALLERS_FILE: "" }), [/^CALLERS_FILE: missing; name/]);
  t.match(await read(at("none")), [/^CALLERS_FILE .*none: ENOENT/]);
  t.match(await read(at("folder")), [/: not a regular file$/]);
  t.match(await read(at("big")), [/: larger than 4194304 bytes$/]);
  t.match(await read(at("bad")), [/: no good$/]);
});
