import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Teardown } from "../helpers/gateway.ts";

/** A small file system of its own, which a test can bring into trouble. */
export interface Disk {
  /** Where it is mounted. */
  readonly folder: string;
  /** Leaves no free byte on it. */
  readonly fill: () => void;
  readonly empty: () => void;
  /** Everything that writes to it waits, without end. */
  readonly freeze: () => Promise<void>;
  readonly thaw: () => Promise<void>;
  /** Mounts it anew, with or without the right to write; nothing may have it open for writing. */
  readonly remount: (how: "ro" | "rw") => void;
}

const megabytes = 16;

/** Makes the file system; undefined where a process may not mount one, as in most containers. */
export function startDisk(t: Teardown): Disk | undefined {
  const place = mkdtempSync(join(tmpdir(), "coze-disk-"));
  const [image, folder] = [join(place, "image"), join(place, "mounted")];
  mkdirSync(folder);
  try {
    execFileSync("truncate", ["-s", `${megabytes}M`, image], { stdio: "ignore" });
    execFileSync("mkfs.ext4", ["-q", image], { stdio: "ignore" });
    execFileSync("mount", ["-o", "loop", image, folder], { stdio: "ignore" });
  } catch {
    rmSync(place, { recursive: true });
    return undefined;
  }
  const helper = startHelper(place);
  const order = async (command: string) => {
    helper.stdin.write(`${command}\n`);
    await once(helper.stdout, "data");
  };
  t.teardown(async () => {
    helper.stdin.end();
    await once(helper, "close");
  });
  const filler = join(folder, "filler");
  return {
    folder,
    fill: () => fillUp(filler),
    empty: () => rmSync(filler, { force: true }),
    freeze: () => order("fsfreeze -f mounted"),
    thaw: () => order("fsfreeze -u mounted"),
    remount: (how) => void execFileSync("mount", ["-o", `remount,${how}`, folder]),
  };
}

/** In ever smaller pieces, so that not even one block is left. */
function fillUp(path: string): void {
  const file = openSync(path, "w");
  for (let size = 1024 * 1024; size >= 1; size /= 2) {
    const piece = Buffer.alloc(size, "x");
    try {
      for (;;) writeSync(file, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
  closeSync(file);
}

/**
 * Runs commands, each with a line in reply, as a process with memory of a file on a disk that hangs cannot start others.
 * It unmounts and removes the disk when its standard input ends: also when the test process is killed.
 */
function startHelper(place: string) {
  const script = `while read -r command; do $command; echo done; done
    fsfreeze -u mounted 2> /dev/null
    umount mounted || umount -l mounted
    cd / && rm -rf "$0"`;
  return spawn("sh", ["-c", script, place], {
    cwd: place,
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
  });
}
