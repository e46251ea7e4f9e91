import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { FileKeys } from "../../../src/callers/jwt/file-keys.ts";
import { Health } from "../../../src/callers/jwt/health.ts";
import { eventually } from "../../config/eventually.ts";
import { newKey, refused, type SigningKey } from "./tokens.ts";

const [one, two] = await Promise.all([newKey("one"), newKey("two")]);
const wanted = ({ alg, kid }: SigningKey) => ({ algorithm: alg, keyId: kid });
const content = (...keys: SigningKey[]) => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });

function open(issuer: string, path: string, told: string[] = []): FileKeys {
  const health = new Health(issuer, {
    onFailure: (name, problem) => void told.push(`${name}: ${problem}`),
    onRecovered: (name) => void told.push(`${name} recovered`),
  });
  return new FileKeys({ issuer, path, intervalMs: 10, health });
}

t.test(
  "keys from a file, new ones when it changes, the last good ones while it cannot be read",
  async (t) => {
    const path = join(t.testdir({ keys: content(one) }), "keys");
    const told: string[] = [];
    const keys = open("cluster", path, told);
    t.teardown(() => keys.close());
    t.ok(await keys.find(wanted(one)));
    await t.rejects(keys.find(wanted(two)), refused("unknown_key"));
    await writeFile(path, content(one, two));
    await eventually("the new key", () => keys.find(wanted(two)).catch(() => undefined));
    await writeFile(path, "<html>");
    await eventually("trouble", () => told.length);
    t.ok(await keys.find(wanted(two)));
    await t.rejects(keys.find({ algorithm: "ES256", keyId: "three" }), {
      name: "JwtUnavailable",
      problem: "jwks_file: not a JWK Set",
    });
    await writeFile(path, content(two));
    await eventually("recovery", () => told.length > 1);
    await t.rejects(keys.find(wanted(one)), refused("unknown_key"), "a removed key");
    await writeFile(path, "");
    await eventually("trouble again", () => told.length > 2);
    await writeFile(path, content(two));
    await eventually("the same content again", () => told.length > 3);
    t.strictSame(told, [
      "cluster: jwks_file: not a JWK Set",
      "cluster recovered",
      "cluster: jwks_file: not a JWK Set",
      "cluster recovered",
    ]);
  },
);

t.test("a file that is not there yet refuses nobody", async (t) => {
  const path = join(t.testdir(), "keys");
  const keys = open("cluster", path);
  t.teardown(() => keys.close());
  await t.rejects(keys.find(wanted(one)), { name: "JwtUnavailable", issuer: "cluster", problem: /ENOENT/ });
  await writeFile(path, content(one));
  await eventually("the keys", () => keys.find(wanted(one)).catch(() => undefined));
});

t.test("close ends the watching", async (t) => {
  const path = join(t.testdir({ keys: content(one) }), "keys");
  const told: string[] = [];
  const keys = open("cluster", path, told);
  const witness = open("witness", path, told);
  t.teardown(() => witness.close());
  await keys.close();
  await rm(path);
  await eventually("what another one sees", () => told.length);
  t.match(told, [/^witness: jwks_file: ENOENT/]);
});
