import { userInfo } from "node:os";

/**
 * The user who runs the command, as a record can hold it: other characters become `-`. A container can run as a number
 * that has no name.
 * @param read tells the user of this process; throws when the system knows no name.
 */
export function operatorName(read: () => { readonly username: string } = userInfo): string {
  let username = "";
  try {
    ({ username } = read());
  } catch {
    username = `uid-${process.getuid?.()}`;
  }
  return username.replace(/[^A-Za-z0-9_.-]/g, "-").slice(0, 128) || "unnamed";
}
