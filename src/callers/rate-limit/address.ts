import { isIPv6 } from "node:net";

/**
 * What an address counts as: IPv6 by its /64, which one customer has as a whole, IPv4 by itself, also where it is
 * written as IPv6 (`::ffff:192.0.2.1`). Whatever is no IP address stays as it is.
 */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const groups = groupsOf(address);
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return `${network.join(":")}::/64`;
}

/** The eight numbers of an IPv6 address, which is known to be one. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = withoutDots(address.replace(/%.*$/, "")).split("::");
  const first = parsed(head);
  if (tail === undefined) return first;
  const last = parsed(tail);
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function parsed(part: string): number[] {
  return part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
}

/** The last 32 bits can be written as IPv4. */
function withoutDots(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
    const [a, b, c, d] = bytes.slice(0, 4).map(Number) as [number, number, number, number];
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
}
