import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import t from "tap";
import { storeErrorOf } from "../../../src/audit/postgres/error.ts";
import { onConnection, PostgresServer } from "../../../src/audit/postgres/server.ts";
import { eventually } from "../../config/eventually.ts";
import { giveToServer, skip, skipOwn, startOwnPostgres, startPostgres } from "../../helpers/postgres.ts";

/** Runs one statement on a connection of its own, and gives the first row. */
async function ask(server: PostgresServer, sql: string, session: "reader" | "writer" = "writer") {
  return onConnection(server, session, async (client) => (await client.query(sql)).rows[0]);
}

t.test("a URL that cannot be used is refused without being shown", async (t) => {
  const cases = {
    "postgres://u:12/secret@db.example/audit": /an @ after the host; write .* in a password as %2F/,
    "postgres://u:12?secret@db.example/audit": /an @ after the host/,
    "postgres://u:12#secret@db.example/audit": /an @ after the host/,
    "postgres://u:secret@db.example:port/audit": /Invalid URL/,
    "postgres://u:secret@db.example/audit?sslrootcert=/nowhere/ca.pem": /ENOENT.*\/nowhere\/ca\.pem/,
    "postgres://u:secret@db.example/audit?sslnegotiation=odd": /Invalid sslnegotiation/,
  };
  for (const [url, message] of Object.entries(cases)) {
    try {
      new PostgresServer({ url });
      t.fail(url);
    } catch (error) {
      t.match(error, { name: "StoreError", permanent: true, message });
      t.notMatch(inspect(error), /secret/, "neither in its message nor anywhere in it");
    }
  }
});

t.test("messages name host, port and database only", async (t) => {
  const { place } = new PostgresServer({ url: "postgres://u:secret@db.example/audit?sslmode=verify-full" });
  t.equal(place, "db.example:5432/audit");
  const escaped = new PostgresServer({ url: "postgres://u:a%2Fb%3Fc%23d%40e@db.example:6432/audit" });
  t.equal(escaped.place, "db.example:6432/audit");
  t.equal(escaped.config("writer").password, "a/b?c#d@e");
});

t.test("no connection where nothing listens and where no host is", async (t) => {
  const cases = { "127.0.0.1:1": /ECONNREFUSED/, "nowhere.invalid": /ENOTFOUND|EAI_AGAIN/ };
  for (const [host, message] of Object.entries(cases)) {
    const server = new PostgresServer({ url: `postgres://u:secret@${host}/audit` });
    const error = await ask(server, "SELECT 1").catch((error: unknown) =>
      storeErrorOf(error, "opening", server.place),
    );
    t.match(error, { permanent: false, message });
    t.notMatch(inspect(error), /secret/);
  }
});

t.test("a session is as the server sees it", { skip }, async (t) => {
  const { url } = await startPostgres(t);
  const withOptions = new URL(url);
  withOptions.searchParams.set("options", "-c search_path=elsewhere");
  const server = new PostgresServer({ url: withOptions.href });
  const settings = `SELECT current_setting('synchronous_commit') AS durable, current_setting('search_path') AS path,
    current_setting('default_transaction_read_only') AS read_only, current_setting('lock_timeout') AS lock,
    current_setting('default_transaction_isolation') AS isolation, current_setting('statement_timeout') AS statement,
    current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('application_name') AS name,
    current_setting('jit') AS jit, 9007199254740991::bigint AS big, '{a,"b c"}'::text[] AS list`;
  const common = {
    isolation: "read committed",
    path: "elsewhere",
    jit: "off",
    big: 9007199254740991,
    list: ["a", "b c"],
  };
  t.match(await ask(server, settings), {
    ...common,
    ...{
      durable: "on",
      read_only: "off",
      lock: "1s",
      statement: "2s",
      idle: "2s",
      name: "coze-gateway writer",
    },
  });
  t.match(await ask(server, settings, "reader"), {
    ...common,
    ...{ read_only: "on", statement: "30s", name: "coze-gateway reader" },
  });
});

t.test("the role's own settings do not get in the way", { skip: skipOwn }, async (t) => {
  const { query, urlFor } = await startOwnPostgres(t);
  await query("CREATE ROLE careless LOGIN PASSWORD 'careless'");
  await query("ALTER ROLE careless SET synchronous_commit = off");
  await query("ALTER ROLE careless SET default_transaction_isolation = serializable");
  const server = new PostgresServer({ url: urlFor("careless", "careless") });
  t.match(await ask(server, "SHOW synchronous_commit"), { synchronous_commit: "on" });
  t.match(await ask(server, "SHOW transaction_isolation"), { transaction_isolation: "read committed" });
});

t.test("a password file is read at each connect", { skip: skipOwn }, async (t) => {
  const { query, urlFor } = await startOwnPostgres(t);
  const passwordFile = join(t.testdir({ password: "first secret\n" }), "password");
  await query("CREATE ROLE rotating LOGIN PASSWORD 'first secret'");
  const server = new PostgresServer({ url: urlFor("rotating", ""), passwordFile });
  const who = "SELECT current_user AS who";
  const fails = async () => {
    const error = await ask(server, who).catch((error: unknown) =>
      storeErrorOf(error, "opening", server.place),
    );
    t.notMatch(inspect(error), /first secret|second secret/);
    return error;
  };
  t.match(await ask(server, who), { who: "rotating" });

  await query("ALTER ROLE rotating PASSWORD 'second secret'");
  t.match(await fails(), { permanent: true, message: /^opening at .*password authentication failed/ });
  writeFileSync(passwordFile, "second secret");
  t.match(await ask(server, who), { who: "rotating" });

  writeFileSync(passwordFile, " \n");
  t.match(await fails(), {
    permanent: true,
    message: /the file with the store's password cannot be used: .* is empty/,
  });
  rmSync(passwordFile);
  t.match(await fails(), {
    permanent: true,
    message: /the file with the store's password cannot be used: ENOENT/,
  });
});

t.test("TLS as the URL says", { skip: skipOwn }, async (t) => {
  const fixture = (name: string) => fileURLToPath(new URL(`../../coze/fixtures/${name}`, import.meta.url));
  const folder = t.testdir();
  const certificates = { ssl_cert_file: join(folder, "good.pem"), ssl_key_file: join(folder, "server.key") };
  copyFileSync(fixture("good.pem"), certificates.ssl_cert_file);
  copyFileSync(fixture("server.key"), certificates.ssl_key_file);
  giveToServer(certificates.ssl_key_file);
  const { url } = await startOwnPostgres(t, { ssl: "on", ...certificates });
  const how = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
  const withQuery = (query: string) => new PostgresServer({ url: `${url}?${query}` });
  t.match(await ask(withQuery(""), how), { ssl: false });
  t.match(await ask(withQuery(`sslmode=verify-full&sslrootcert=${fixture("ca.pem")}`), how), { ssl: true });
  await t.rejects(ask(withQuery("sslmode=verify-full"), how), /certificate/);
});

t.test(
  "what is still open can be cut off, and a connection in the middle of work rejects",
  { skip },
  async (t) => {
    const { url, query } = await startPostgres(t);
    const server = new PostgresServer({ url });
    const work = t.rejects(ask(server, "SELECT pg_sleep(600)"), /Connection terminated/);
    const running =
      "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND datname = current_database()";
    await eventually("the work", async () => (await query(running)).length > 0);
    server.cut();
    await work;
  },
);
