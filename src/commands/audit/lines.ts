import { createReadStream } from "node:fs";

/** What is longer is cut off: none of our lines is, and one without an end must not fill the memory. */
const longestLine = 1024 * 1024;

/** The lines of a file, or of standard input for `-`. */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const chunks: AsyncIterable<string> =
    file === "-" ? process.stdin.setEncoding("utf8") : createReadStream(file, "utf8");
  let rest = "";
  for await (const chunk of chunks) {
    const [first = "", ...others] = chunk.split("\n");
    if (rest.length < longestLine) rest += first;
    for (const line of others) {
      yield rest;
      rest = line;
    }
  }
  if (rest !== "") yield rest;
}
