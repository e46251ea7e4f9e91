import { randomBytes } from "node:crypto";
import { open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Why a file stays as it was: half a sentence about it, for a person. */
export class NotReplaced extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NotReplaced";
  }
}

/** The versions of a mounted Kubernetes Secret or ConfigMap lie in folders such as `..2027_01_31_08_00_00.123`. */
const kubernetesVersion = /\/\.\.[^/]+\//;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "is not there any more",
  EROFS: "is on a read-only file system",
  EACCES: "may not be replaced by this user",
  EPERM: "may not be replaced by this user, or not with the owner that it has",
  EBUSY: "is a mount of its own, which cannot be replaced from within",
};

/**
 * Replaces the content of a file, durably and in one step: whoever reads it meanwhile gets all of the old or all of the
 * new. A link stays, what it leads to is replaced; mode and owner stay.
 * @param known what the file held when the new content was made; if it holds anything else now, it stays.
 * @throws {NotReplaced}
 */
export async function replaceFile(path: string, known: Buffer, content: Buffer): Promise<void> {
  const target = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    throw new NotReplaced(reasonOf(error));
  });
  // Even where it can be written, the next synchronization would bring back what was taken out.
  if (kubernetesVersion.test(target))
    throw new NotReplaced("is mounted from a Kubernetes Secret or ConfigMap");
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await writeLike(target, temporary, content);
    if (!known.equals(await readFile(target)))
      throw new NotReplaced("was changed by somebody else meanwhile; try again");
    await rename(temporary, target);
    await flush(dirname(target));
  } catch (error) {
    // Where nothing can be written nothing is to be removed either, and the first trouble is what matters.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error instanceof NotReplaced ? error : new NotReplaced(reasonOf(error as NodeJS.ErrnoException));
  }
}

/** What a failed system call says of the file. */
export function reasonOf({ code = "unknown trouble" }: NodeJS.ErrnoException): string {
  return reasons[code] ?? `cannot be replaced (${code})`;
}

async function writeLike(model: string, path: string, content: Buffer): Promise<void> {
  const { mode, uid, gid } = await stat(model);
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.chown(uid, gid);
    await file.chmod(mode & 0o7777);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A new name in a folder is durable only when the folder is. */
async function flush(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
