import { isUtf8 } from "node:buffer";
import { parseArgs } from "node:util";
import { callerIdPattern, callerOfKey, hashKey, keyCredentialId, keyPattern } from "../../callers/key.ts";
import { readCallersFile } from "../callers-file.ts";
import { CommandFailure, type Terminal, UsageError } from "../command.ts";
import { type NotReplaced, replaceFile } from "./replace-file.ts";
import { type FileKey, type RemovedKey, withoutKeys } from "./without-keys.ts";

/** Which keys are to go, in words and as a rule. */
interface Target {
  readonly what: string;
  readonly isRevoked: (key: FileKey) => boolean;
}

/**
 * `keys revoke --credential-id HEX16 | --caller ID | --stdin`: takes keys out of the callers file, of which running
 * gateways take notice by themselves. `--stdin` reads the key itself, so that it stands in no command line.
 * @throws {CommandFailure} when no such key is there, or the file cannot be changed here.
 */
export async function keysRevoke(args: readonly string[], terminal: Terminal): Promise<undefined> {
  const { values } = parseArgs({
    args: [...args],
    options: { "credential-id": { type: "string" }, caller: { type: "string" }, stdin: { type: "boolean" } },
  });
  const { what, isRevoked } = await targetOf(values, terminal);
  const { path, value } = await readCallersFile(terminal.environment, (content) => {
    // What is no UTF-8 would come out as something else.
    if (!isUtf8(content)) throw new Error("not UTF-8");
    return { content, ...withoutKeys(content.toString(), isRevoked) };
  });
  const { content, text, removed } = value;
  if (removed.length === 0)
    throw new CommandFailure(`There is no key ${what} in ${path}; nothing was changed.`);
  await replaceFile(path, content, Buffer.from(text)).catch((error: NotReplaced) => {
    throw notRevoked(path, error, removed);
  });
  await terminal.out(
    `Taken out of ${path}:\n${linesOf(removed)}Running gateways that read this file refuse them within 2 s.\n`,
  );
}

async function targetOf(
  values: { readonly "credential-id"?: string; readonly caller?: string; readonly stdin?: boolean },
  terminal: Terminal,
): Promise<Target> {
  const { "credential-id": credentialId, caller } = values;
  if (Object.keys(values).length !== 1)
    throw new UsageError("keys revoke takes one of --credential-id HEX16, --caller ID and --stdin");
  if (credentialId !== undefined) {
    if (!/^[0-9a-f]{16}$/.test(credentialId))
      throw new UsageError(
        "--credential-id must be the 16 hex digits that keys list and the audit trail show",
      );
    return byCredentialId(credentialId);
  }
  if (caller !== undefined) {
    if (!callerIdPattern.test(caller)) throw new UsageError("--caller must be the id of a caller");
    return { what: `of caller ${caller}`, isRevoked: (key) => key.caller === caller };
  }
  return byCredentialId(keyCredentialId(hashKey(keyIn((await terminal.input?.()) ?? ""))));
}

/** The one key in a text, such as the line of a log in which it was found. */
function keyIn(text: string): string {
  const found = text.match(new RegExp(keyPattern, "g"))?.filter((key) => callerOfKey(key) !== undefined);
  const [key, ...others] = new Set(found);
  if (key !== undefined && others.length === 0) return key;
  throw new CommandFailure(
    `Standard input holds ${key === undefined ? "no caller key" : "several caller keys"}.`,
  );
}

function byCredentialId(id: string): Target {
  return { what: id, isRevoked: ({ sha256 }) => keyCredentialId(sha256) === id };
}

function linesOf(keys: readonly RemovedKey[]): string {
  return keys
    .map(({ caller, sha256, firstLine, lastLine }) => {
      const lines = firstLine === lastLine ? `line ${firstLine}` : `lines ${firstLine}-${lastLine}`;
      return `  key ${keyCredentialId(sha256)} of caller ${caller} (${lines})\n`;
    })
    .join("");
}

function notRevoked(path: string, { message }: NotReplaced, keys: readonly RemovedKey[]): CommandFailure {
  return new CommandFailure(
    `${path} ${message}. Nothing was changed: the keys still work.\n` +
      `Take these out where the file comes from:\n${linesOf(keys).trimEnd()}`,
  );
}
