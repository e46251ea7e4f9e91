import { inspect } from "node:util";
import t from "tap";
import { RateLimitStoreUrl } from "../../src/config/rate-limit-store-url.ts";

const secret = "CANARYpassword";

/** Every way in which the program could print it. */
const shown = (url: RateLimitStoreUrl) => [
  String(url),
  JSON.stringify(url).slice(1, -1),
  inspect(url, { depth: 9, showHidden: true }),
];

t.test("where a server is", async (t) => {
  for (const [text, parts, print] of [
    ["redis://redis", { host: "redis", port: 6379, tls: false, database: 0 }, "redis://redis:6379/0"],
    ["valkey://h:1/", { host: "h", port: 1, tls: false, database: 0 }, "redis://h:1/0"],
    ["rediss://h/3", { host: "h", port: 6379, tls: true, database: 3 }, "rediss://h:6379/3"],
    ["valkeys://h:7000/15", { host: "h", port: 7000, tls: true, database: 15 }, "rediss://h:7000/15"],
    ["redis://[::1]:2", { host: "::1", port: 2, tls: false, database: 0 }, "redis://[::1]:2/0"],
    ["redis://a%3Ab@h", { host: "h", username: "a:b", hasPassword: false }, "redis://a%3Ab@h:6379/0"],
  ] as const) {
    const url = new RateLimitStoreUrl(text);
    t.match(url, parts, text);
    t.equal(url.revealPassword(), undefined);
    for (const each of shown(url)) t.equal(each, print);
  }
  t.equal(new RateLimitStoreUrl("redis://h").username, undefined);
});

t.test("a password is for who makes the connection only", async (t) => {
  const url = new RateLimitStoreUrl(`redis://gateway:${secret}%2F%40@h:1/2`);
  t.equal(url.revealPassword(), `${secret}/@`);
  t.ok(url.hasPassword);
  for (const each of shown(url)) t.equal(each, "redis://gateway:[redacted]@h:1/2");
  const withoutUser = new RateLimitStoreUrl(`redis://:${secret}@h`);
  t.equal(withoutUser.revealPassword(), secret);
  for (const each of shown(withoutUser)) t.equal(each, "redis://:[redacted]@h:6379/0");
});

t.test("what is no such URL is refused without being shown", async (t) => {
  for (const [text, message] of [
    ["Memory", /^must be memory, or a URL/],
    ["", /^must be memory, or a URL/],
    [`http://u:${secret}@h`, /^must be memory, or a URL/],
    [`redisx://u:${secret}@h`, /^must be memory, or a URL/],
    [`redis://u:${secret}@h:99999`, /^must be memory, or a URL/],
    ["redis:///0", /^must be memory, or a URL/],
    [`redis://u:${secret}#x@h/0`, /^must be memory, or a URL/],
    [`redis://u:12/${secret}@h/0`, /^must end with the number of a database/],
    [`redis://u:12#${secret}@h/0`, /^must end with the number of a database/],
    [`redis://h/0?password=${secret}`, /^must end with the number of a database/],
    ["redis://h/zero", /^must end with the number of a database/],
    ["redis://h//0", /^must end with the number of a database/],
    [`redis://u:${secret}%zz@h`, /^user and password must be percent-encoded/],
  ] as const) {
    try {
      new RateLimitStoreUrl(text);
      t.fail(text);
    } catch (error) {
      t.match((error as Error).message, message, text);
      t.notMatch(inspect(error), secret);
    }
  }
});
