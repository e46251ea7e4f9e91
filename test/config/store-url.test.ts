import { inspect } from "node:util";
import t from "tap";
import { StoreUrl } from "../../src/config/store-url.ts";

const secret = "CANARYpassword";

/** Every way in which the program could print it. */
const shown = (url: StoreUrl) => [
  String(url),
  JSON.stringify(url).slice(1, -1),
  inspect(url, { depth: 9, showHidden: true }),
];

t.test("a file", async (t) => {
  for (const path of ["data/audit.db", "/var/lib/x y/audit.db", "./a#b?c", ":memory:x"]) {
    const url = new StoreUrl(`sqlite:${path}`);
    t.equal(url.kind, "sqlite");
    t.equal(url.path, path);
    t.equal(url.reveal(), `sqlite:${path}`);
    t.strictSame([String(url), inspect(url)], [`sqlite:${path}`, `sqlite:${path}`]);
  }
});

t.test("a database, and its password only for who makes the connection", async (t) => {
  for (const scheme of ["postgres", "postgresql"]) {
    const text = `${scheme}://audit:${secret}@db.example:5432/gateway?sslmode=require&password=${secret}`;
    const url = new StoreUrl(text);
    t.equal(url.kind, "postgres");
    t.equal(url.reveal(), text);
    for (const print of shown(url)) t.equal(print, `${scheme}://audit:[redacted]@db.example:5432/gateway`);
  }
});

t.test("without a password none is made up", async (t) => {
  for (const print of shown(new StoreUrl("postgres://audit@db/gateway"))) {
    t.equal(print, "postgres://audit@db/gateway");
  }
});

t.test("what is neither is refused with what would be right, and is not shown", async (t) => {
  const forms = /^must be sqlite:<file> or postgres:\/\/user@host:5432\/database$/;
  const wrong: Readonly<Record<string, RegExp>> = {
    "": forms,
    [secret]: forms,
    [`mysql://u:${secret}@db/x`]: forms,
    [`SQLITE:${secret}`]: forms,
    "sqlite:": /^sqlite: must name a file$/,
    "postgres:": /^is not a URL of the form postgres:/,
    "postgres://": /^is not a URL of the form postgres:/,
    [`postgres://u:${secret}@/x`]: /^is not a URL of the form postgres:/,
    [`postgres://u:${secret}@db:port/x`]: /^is not a URL of the form postgres:/,
    // Passwords that are not percent-encoded; read as they stand, half of them would be a path.
    [`postgres://u:1#${secret}@db/x`]: /^is not a URL of the form postgres:/,
    [`postgres://u:1/${secret}@db/x`]: /^is not a URL of the form postgres:/,
  };
  for (const [text, message] of Object.entries(wrong)) t.throws(() => new StoreUrl(text), { message });
  t.notMatch(Object.values(wrong).join(), secret);
});
