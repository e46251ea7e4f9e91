import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { subjectCredentialId } from "../../src/callers/key.ts";
import { eventually } from "../config/eventually.ts";
import { call, callersYaml, startGateway, startSandbox } from "../helpers/gateway.ts";
import { recordsOf } from "../http/helper.ts";
import { makeAuthority, startApiServer } from "./jwt/api-server.ts";
import { audience, issuer, mint, newKey, nowSeconds, rawToken, subject } from "./jwt/tokens.ts";

const own = [{ permissions: ["createApiApp", "listApiApp", "deleteApiApp"], api_app_ids: "own" as const }];
const billing = {
  id: "billing",
  key: "unused",
  grants: own,
  identities: [{ issuer: "cluster", subject_prefix: "system:serviceaccount:billing:" }],
};

for (const way of ["jwks_uri", "token_review"] as const)
  t.test(`a service account of a cluster calls with its projected token (${way})`, async (t) => {
    const coze = await startSandbox(t);
    const authority = makeAuthority(t);
    const key = await newKey("k1");
    const api = await startApiServer(t, { tls: authority.tls, bearer: "of-the-gateway", keys: [key] });
    const tokenFile = join(authority.folder, "token");
    await writeFile(tokenFile, "of-the-gateway\n");
    const access = { ca_file: authority.caFile, bearer_token_file: tokenFile };
    const cluster = {
      name: "cluster",
      issuer,
      audiences: [audience],
      algorithms: ["ES256"],
      ...(way === "jwks_uri"
        ? { jwks_uri: api.jwksUri, ...access }
        : { token_review: { api_server: api.url, ...access } }),
    };
    const gateway = await startGateway(t, coze.url, {}, [billing], [cluster]);
    const ask = (token: string, method = "GET", path = "/v1/api_apps", body?: unknown) =>
      call(gateway.url + path, method, { authorization: `Bearer ${token}` }, body);
    const token = await mint(key);

    const created = await ask(token, "POST", "/v1/api_apps", { app_type: "normal", name: "x" });
    t.equal(created.status, 200, created.text);
    const other = await mint(key, { sub: "system:serviceaccount:billing:other" });
    const list = await ask(other);
    t.equal(list.body.data.items.length, 1, "what one pod of the caller made, another one sees");
    t.match(recordsOf(gateway)[1], {
      kind: "outcome",
      caller: "billing",
      subject,
      credential_id: subjectCredentialId("cluster", subject),
      rule: "grants[0]",
      owner: "billing",
    });
    const whoami = await ask(token, "GET", "/gateway/v1/whoami");
    t.match(whoami.body.data, { caller: "billing", credential: { kind: "jwt", subject } });

    const foreign = await newKey("k1");
    const refused: Record<string, string> = {
      "another namespace": await mint(key, { sub: "system:serviceaccount:orders:worker" }),
      "another audience": await mint(key, { aud: ["https://kubernetes.default.svc"] }),
      "another issuer": await mint(key, { iss: "https://elsewhere.example" }),
      expired: await mint(key, { exp: nowSeconds() - 31 }),
      "another key": await mint(foreign),
      "no signature": rawToken(
        { alg: "none" },
        { iss: issuer, aud: audience, sub: subject, exp: nowSeconds() + 60 },
        "eA",
      ),
    };
    for (const [name, wrong] of Object.entries(refused)) {
      const reply = await ask(wrong);
      t.match(reply, { status: 401, body: { gateway: { error: "unauthenticated" } } }, name);
      t.equal(
        reply.body.msg,
        "Send Authorization: Bearer <caller key or token>. It is missing, unknown or expired.",
      );
    }
    const reasons = gateway.lines().flatMap(({ refusal }) => refusal ?? []);
    t.equal(new Set(reasons).size >= 5, true, `the log says why: ${reasons}`);
    for (const wrong of [token, ...Object.values(refused)]) t.notMatch(gateway.text(), wrong.slice(-40));

    await api.stop();
    if (way === "token_review") {
      // Keys of a cluster that were read a moment ago are believed; each new token has to be asked about.
      const unknowable = await ask(await mint(key, { sub: "system:serviceaccount:billing:late" }));
      t.match(unknowable, { status: 503, body: { gateway: { error: "authentication_unavailable" } } });
      t.match(unknowable.headers.get("retry-after"), /^\d+$/);
      const line = gateway.lines().findLast(({ error }) => error === "authentication_unavailable");
      t.match(line, { level: "info", problem: /^issuer cluster: / }, "the log says what is wrong");
    }
    t.equal((await ask(token)).status, 200, "who was proved before goes on");

    await writeFile(
      join(gateway.folder, "callers.yaml"),
      callersYaml([{ ...billing, identities: [] }], [cluster]),
    );
    await eventually("the identity to be gone", async () => (await ask(token)).status === 401);
  });
