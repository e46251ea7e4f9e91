import fc from "fast-check";
import t from "tap";
import { networkOf } from "../../../src/callers/rate-limit/address.ts";

t.test("an IPv4 address counts by itself, however it is written", async (t) => {
  for (const [address, network] of [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:0201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:255.255.0.9", "255.255.0.9"],
    ["0000:0000:0000:0000:0000:ffff:0000:0001", "0.0.0.1"],
  ] as const) {
    t.equal(networkOf(address), network, address);
  }
});

t.test("an IPv6 address counts by its /64", async (t) => {
  for (const [address, network] of [
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:db8::1:2", "2001:db8:0:0::/64"],
    ["2001:db8:1::192.0.2.1", "2001:db8:1:0::/64"],
    ["2001:db8:1:2:3:4:192.0.2.1", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["1::", "1:0:0:0::/64"],
    ["1:2:3:4:5:6:7::", "1:2:3:4::/64"],
    ["::2:3:4:5:6:7:8", "0:2:3:4::/64"],
    ["0:0:0:1::ffff:192.0.2.1", "0:0:0:1::/64"],
    ["::fffe:192.0.2.1", "0:0:0:0::/64"],
  ] as const) {
    t.equal(networkOf(address), network, address);
  }
});

t.test("whatever is no address stays as it is", async (t) => {
  for (const text of ["", "unix", "1:2", "2001:db8::g", "192.0.2"]) t.equal(networkOf(text), text);
});

t.test("all addresses of a /64 are one, and those of another are not", async () => {
  const group = fc.integer({ min: 0, max: 0xffff }).map((number) => number.toString(16));
  const half = fc.array(group, { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(half, half, half, (network, one, other) => {
      const address = (...parts: string[][]) => networkOf(parts.flat().join(":"));
      const same = address(network, one) === address(network, other);
      const apart = address(network, one) !== address(one, one) || network.join() === one.join();
      return same && apart;
    }),
  );
});
