import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import t from "tap";
import { linesOf } from "../../../src/commands/audit/lines.ts";

async function linesIn(file: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(file)) lines.push(line);
  return lines;
}

/** The lines of a file with this content. */
async function read(t: Pick<typeof import("tap").t, "testdir">, content: string | Buffer): Promise<string[]> {
  const file = join(t.testdir({}), "log");
  await writeFile(file, content);
  return linesIn(file);
}

t.test("the lines of a file, also the last one without a line break", async (t) => {
  t.strictSame(await read(t, "a\n\nb\r\nc"), ["a", "", "b\r", "c"]);
});

t.test("an empty file", async (t) => {
  t.strictSame(await read(t, ""), []);
});

t.test("lines that go from one chunk to the next, characters too", async (t) => {
  const lines = Array.from({ length: 3_000 }, (_, at) => `${at}é${"x".repeat(at % 199)}`);
  t.strictSame(await read(t, `${lines.join("\n")}\n`), lines);
});

t.test("what is longer than a megabyte is cut off, and the next line is whole", async (t) => {
  const long = Buffer.alloc(5 * 1024 * 1024, "x");
  const [first, cut = "", next, ...others] = await read(
    t,
    Buffer.concat([Buffer.from("a\n"), long, Buffer.from("\nb\n")]),
  );
  t.strictSame([first, next, others], ["a", "b", []]);
  t.ok(cut.length >= 1024 * 1024 && cut.length < 1024 * 1024 + 128 * 1024, `${cut.length}`);
});

t.test("standard input", async (t) => {
  const stdin = new PassThrough();
  t.intercept(process, "stdin", { value: stdin });
  const word = Buffer.from("é");
  stdin.write(word.subarray(0, 1));
  stdin.write(word.subarray(1));
  stdin.end("\nb");
  t.strictSame(await linesIn("-"), ["é", "b"]);
});

t.test("a file that cannot be read", async (t) => {
  await t.rejects(linesIn(join(t.testdir({}), "none")), { code: "ENOENT" });
});
