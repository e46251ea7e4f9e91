import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { RedisLink, type RedisPlace, type RedisTimes } from "../../../src/callers/rate-limit/redis-link.ts";
import { reasonOf, Trouble } from "../../../src/callers/rate-limit/trouble.ts";
import { Rate } from "../../../src/config/rate.ts";
import { RateLimitStoreUrl } from "../../../src/config/rate-limit-store-url.ts";
import { eventually } from "../../config/eventually.ts";
import { skip, TestRedis } from "../../helpers/redis.ts";
import { closedPort, patient, startFakeServer } from "./servers.ts";

const rate = new Rate(2, 3_600_000);
const fixture = (name: string) => fileURLToPath(new URL(`../../coze/fixtures/${name}`, import.meta.url));

/** A connection that ends with the test. */
function link(t: Test, place: RedisPlace | string, times: RedisTimes = patient): RedisLink {
  const made = new RedisLink(
    typeof place === "string" ? { url: new RateLimitStoreUrl(place) } : place,
    times,
  );
  t.teardown(() => made.end(undefined));
  return made;
}

/** Why a connection came to nothing. */
async function failureOf(made: RedisLink): Promise<string> {
  if (await made.opened) return "opened";
  return reasonOf(await made.over);
}

/** A file with this content, gone with the test. */
function file(t: Test, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), "coze-redis-test-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "password"), content);
  return join(folder, "password");
}

t.test("with a server", { skip }, async (t) => {
  t.test("draws are made there", async (t) => {
    const redis = await TestRedis.start(t);
    const made = link(t, `${redis.url}/3`);
    t.equal(await made.opened, true);
    t.match(await made.draw("a", rate), { allowed: true });
    t.match(await made.draw("a", rate), { allowed: true });
    t.match(await made.draw("a", rate), { allowed: false });
    t.match(await made.draw("b", rate), { allowed: true });
    const other = link(t, `${redis.url}/3`);
    t.match((await other.opened) && (await other.draw("a", rate)), { allowed: false }, "for everybody");
    const keyspace = String(await redis.command("INFO", "keyspace"));
    t.match(keyspace, /db3:keys=[23],expires=[23]/, "in its database, and all of them vanish by themselves");
    made.end(new Trouble("enough"));
    t.match(await made.over, { message: "enough" });
    t.equal(await made.draw("a", rate), undefined);
    made.end(new Trouble("again"));
  });

  t.test("a server without the script gets it", async (t) => {
    const redis = await TestRedis.start(t);
    const made = link(t, redis.url);
    await made.opened;
    await redis.command("SCRIPT", "FLUSH");
    const all = await Promise.all(["a", "a", "a", "b"].map((key) => made.draw(key, rate)));
    t.same(
      all.map((each) => each?.allowed),
      [true, true, false, true],
    );
  });

  t.test("a password from the URL, or from a file that is read at each connect", async (t) => {
    const redis = await TestRedis.start(t, { password: "CANARYpassword" });
    const { port } = redis;
    t.equal(await link(t, `redis://:CANARYpassword@127.0.0.1:${port}`).opened, true);
    t.equal(await link(t, `redis://default:CANARYpassword@127.0.0.1:${port}`).opened, true);
    t.equal(await failureOf(link(t, redis.url)), "NOAUTH");
    t.equal(await failureOf(link(t, `redis://:wrong@127.0.0.1:${port}`)), "WRONGPASS");
    const passwordFile = file(t, "wrong\n");
    const place = { url: new RateLimitStoreUrl(redis.url), passwordFile };
    t.equal(await failureOf(link(t, place)), "WRONGPASS");
    writeFileSync(passwordFile, "CANARYpassword\n");
    t.equal(await link(t, place).opened, true);
    writeFileSync(passwordFile, " \n");
    t.equal(await failureOf(link(t, place)), "the file with the password is empty");
    t.equal(
      await failureOf(link(t, { ...place, passwordFile: "/nowhere" })),
      "the file with the password cannot be read: ENOENT",
    );
  });

  t.test("a user that may do nothing but this is enough", async (t) => {
    const redis = await TestRedis.start(t);
    const rights = "~cgw:rate:* -@all +eval +evalsha +get +set +time".split(" ");
    await redis.command("ACL", "SETUSER", "gateway", "on", ">CANARYpassword", ...rights);
    const made = link(t, `redis://gateway:CANARYpassword@127.0.0.1:${redis.port}`);
    t.equal(await made.opened, true);
    t.match(await made.draw("a", rate), { allowed: true });
    t.same(await redis.command("ACL", "LOG"), [], "nothing is tried that it may not do");
  });

  t.test("a replica, which must not be written to, is of no use", async (t) => {
    const redis = await TestRedis.start(t);
    const made = link(t, redis.url);
    t.equal(await made.opened, true);
    await redis.command("REPLICAOF", "127.0.0.1", String(await closedPort()));
    t.equal(await made.draw("a", rate), undefined);
    t.equal(reasonOf(await made.over), "READONLY");
    t.equal(await failureOf(link(t, redis.url)), "READONLY");
    await redis.command("REPLICAOF", "NO", "ONE");
    t.equal(await link(t, redis.url).opened, true);
  });

  t.test("a server that ends is noticed without a draw", async (t) => {
    const redis = await TestRedis.start(t);
    const made = link(t, redis.url);
    await made.opened;
    await redis.stop();
    t.match(reasonOf(await made.over), /^(SocketClosedUnexpectedlyError|ECONNRESET)$/);
    t.equal(await failureOf(link(t, redis.url)), "ECONNREFUSED");
  });

  t.test("a server that hangs holds nobody up, not even many", async (t) => {
    const redis = await TestRedis.start(t);
    const made = link(t, redis.url, { openMs: 60_000, answerMs: 50 });
    t.equal(await made.opened, true);
    redis.freeze();
    const start = performance.now();
    const draws = await Promise.all(Array.from({ length: 2_000 }, () => made.draw("a", rate)));
    t.ok(draws.every((each) => each === undefined));
    t.ok(performance.now() - start < 10_000);
    t.equal(reasonOf(await made.over), "no answer in time");
    t.equal(await failureOf(link(t, redis.url, { openMs: 100, answerMs: 50 })), "no connection in time");
    redis.thaw();
    t.equal(await link(t, redis.url).opened, true);
  });

  t.test("more draws than can be awaited end the connection, not the memory", async (t) => {
    const redis = await TestRedis.start(t);
    const made = link(t, redis.url);
    await made.opened;
    redis.freeze();
    const draws = await Promise.all(Array.from({ length: 10_001 }, () => made.draw("a", rate)));
    t.ok(draws.every((each) => each === undefined));
    redis.thaw();
  });

  t.test("with TLS the certificate is checked", async (t) => {
    const plain = await closedPort();
    const redis = await TestRedis.start(t, {
      settings: [
        ["tls-port", String(plain)],
        ["tls-cert-file", fixture("good.pem")],
        ["tls-key-file", fixture("server.key")],
        ["tls-ca-cert-file", fixture("ca.pem")],
        ["tls-auth-clients", "no"],
      ],
    }).catch((error: Error) => error);
    if (redis instanceof Error) {
      t.pass("this server was built without TLS", { skip: true });
      return;
    }
    const url = `rediss://127.0.0.1:${plain}`;
    t.match(await failureOf(link(t, url)), /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_)/);
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    t.teardown(() => delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]);
    t.match(
      await failureOf(link(t, url)),
      /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_)/,
      "whatever the environment says",
    );
    tls.setDefaultCACertificates([readFileSync(fixture("ca.pem"), "utf8")]);
    const made = link(t, url);
    t.equal(await made.opened, true);
    t.match(await made.draw("a", rate), { allowed: true });
    const place = { url: new RateLimitStoreUrl(`rediss://127.0.0.1:${redis.port}`) };
    const failure = await failureOf(link(t, place, { openMs: 500, answerMs: 50 }));
    t.not(failure, "opened", "never without TLS");
  });
});

t.test("a server that takes the connection and is silent", async (t) => {
  const server = await startFakeServer(t, undefined);
  t.equal(
    await failureOf(link(t, { url: server.url }, { openMs: 100, answerMs: 50 })),
    "no connection in time",
  );
  await eventually("its connection is gone", () => server.sockets.size === 0);
});

t.test("a server that is still loading", async (t) => {
  const server = await startFakeServer(t, "-LOADING Redis is loading the dataset in memory\r\n");
  t.equal(await failureOf(link(t, { url: server.url })), "LOADING");
});

t.test("a server that is none", async (t) => {
  const server = await startFakeServer(t, "HTTP/1.1 400 Bad Request\r\n\r\n");
  t.not(await failureOf(link(t, { url: server.url }, { openMs: 200, answerMs: 50 })), "opened");
});

t.test("what it is sent is not quoted, whatever the server quotes", async (t) => {
  const server = await startFakeServer(t, "-ERR unknown command, with args: `AUTH`, `CANARYpassword`\r\n");
  t.equal(await failureOf(link(t, { url: server.url })), "ERR");
  t.match(server.received(), "CANARYpassword");
  t.notMatch(server.received(), "HELLO", "which old servers do not know, and quote with the password");
});

t.test("nobody there", async (t) => {
  t.equal(await failureOf(link(t, `redis://127.0.0.1:${await closedPort()}`)), "ECONNREFUSED");
  t.match(await failureOf(link(t, "redis://nobody.invalid")), /^(ENOTFOUND|EAI_AGAIN)$/);
});

t.test("what is ended while it connects leaves no connection behind", async (t) => {
  const server = await startFakeServer(t, undefined);
  const made = link(t, { url: server.url });
  made.end(new Trouble("closed"));
  t.equal(await made.opened, false);
  // Another connection is accepted after it.
  const probe = connect(server.url.port, "127.0.0.1");
  t.teardown(() => probe.destroy());
  await eventually("the other one is there", () => server.sockets.size > 0);
  await eventually("it is alone", () => server.sockets.size === 1);
  t.equal(server.received(), "");
});
