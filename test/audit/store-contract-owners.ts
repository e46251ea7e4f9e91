import type { AppOwner, AuditStore } from "../../src/audit/store.ts";
import { StoreError } from "../../src/audit/store.ts";
import { verify } from "../../src/audit/verify/verify.ts";
import { linkOf, start, Trail } from "./rows.ts";
import type { Check } from "./store-contract-place.ts";

/** Who owns each of these apps; "" is nobody. */
async function owners(store: AuditStore, ...apps: readonly string[]): Promise<string[]> {
  const found = await store.ownersOf(apps);
  return apps.map((app) => found.get(app) ?? "");
}

/** The part of the contract that says: owners follow from the records, and outlive them. */
export function ownersContract(check: Check): void {
  check("a look-up does not wait behind searches", async (t, open) => {
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    await store.append([trail.created("1", "billing"), ...trail.rows(5_000)], undefined);
    await store.ownersOf(["1"]);
    const ended: string[] = [];
    const searches = Array.from({ length: 40 }, () =>
      store
        .find({ operation: "nothing_such" }, { order: "newest_first", limit: 5_000 })
        .then(() => ended.push("search")),
    );
    t.strictSame(await store.ownersOf(["1"]), new Map([["1", "billing"]]));
    t.ok(ended.length < 40, `${ended.length} searches had ended before`);
    await Promise.all(searches);
  });

  check("who creates an app owns it, and no other create takes it away", async (t, open) => {
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    t.strictSame(await store.ownersOf([]), new Map());
    t.strictSame(await store.ownersOf(["7"]), new Map());
    await store.append(
      [
        trail.created("1", "billing"),
        trail.created("1", "mallory"),
        trail.created("2", "crm"),
        trail.created("3", "crm", { outcome: "unknown" }),
        trail.created("4", "crm", { outcome: "refused" }),
        trail.created("5", "crm", { kind: "attempt" }),
        trail.created("6", "crm", { kind: "closed" }),
        trail.created("7", "crm", { api_app_id: undefined }),
        trail.created("8", "crm", { operation: "update_api_app", owner: undefined }),
      ],
      undefined,
    );
    const apps = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    t.strictSame(await owners(store, ...apps), ["billing", "crm", "", "", "", "", "", "", ""]);
    t.strictSame(await store.ownersOf(["2", "2", "none"]), new Map([["2", "crm"]]));
    const expected: AppOwner[] = [
      { api_app_id: "1", owner: "billing", since: start, stream: "a.1", seq: 1 },
      { api_app_id: "2", owner: "crm", since: start + 2000, stream: "a.1", seq: 3 },
    ];
    t.strictSame(await store.owners({ limit: 10 }), expected);
    t.strictSame(await store.damage(), []);
  });

  check(
    "a create of an older gateway, whose record names no owner, gives it to its caller",
    async (t, open) => {
      const trail = new Trail("a.1");
      const store = await open({ stream: "a.1" });
      await store.append([trail.created("1", "billing", { owner: undefined })], undefined);
      t.strictSame(await owners(store, "1"), ["billing"]);
      t.strictSame(await store.damage(), []);
    },
  );

  check("an operator gives, moves and takes an app", async (t, open) => {
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    let after = trail.head;
    const say = async (from: string, to: string) => {
      await store.append([trail.ownerChange("1", from, to)], after);
      after = trail.head;
      return (await owners(store, "1"))[0];
    };
    t.equal(await say("", "billing"), "billing");
    t.equal(await say("billing", "crm"), "crm");
    t.equal(await say("crm", ""), "");
    t.strictSame(await store.owners({ limit: 9 }), []);
    t.equal(await say("", "billing"), "billing");
    t.match(await store.owners({ limit: 9 }), [{ api_app_id: "1", owner: "billing", seq: 4 }]);
    t.strictSame(await store.damage(), []);
    t.strictSame((await verify(store)).faults, []);
  });

  check("a change whose previous owner is another one has no effect", async (t, open) => {
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    await store.append(
      [
        trail.ownerChange("1", "billing", "crm"),
        trail.ownerChange("2", "", "billing"),
        trail.ownerChange("2", "", "crm"),
        trail.ownerChange("2", "crm", "shop"),
        trail.ownerChange("2", "crm", ""),
        trail.created("3", "billing"),
        trail.ownerChange("3", "billing", "crm"),
        trail.ownerChange("3", "billing", "shop"),
        trail.ownerChange("4", "", ""),
        trail.ownerChange("5", "", "crm", { previous_owner: undefined }),
      ],
      undefined,
    );
    t.strictSame(await owners(store, "1", "2", "3", "4", "5"), ["", "billing", "crm", "", "crm"]);
    t.strictSame(await store.damage(), []);
  });

  check("an app that an operator took can be created and given again", async (t, open) => {
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    const rows = [trail.created("1", "billing"), trail.ownerChange("1", "billing", "")];
    await store.append([...rows, trail.created("1", "crm")], undefined);
    t.strictSame(await owners(store, "1"), ["crm"]);
    t.strictSame(await store.damage(), []);
  });

  check("a repeated batch does not bring an earlier owner back", async (t, open) => {
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    const first = trail.created("1", "billing");
    const moved = trail.ownerChange("1", "billing", "crm");
    const back = trail.ownerChange("1", "crm", "billing");
    await store.append([first], undefined);
    await store.append([moved], linkOf(first));
    await store.append([back], linkOf(moved));
    for (const batch of [[first], [first, moved], [moved, back], [first, moved, back]]) {
      await store.append(batch, undefined);
      t.match(await store.owners({ limit: 9 }), [{ owner: "billing", seq: 3 }]);
    }
    t.strictSame(await store.damage(), []);
  });

  check("a batch that is refused leaves no owner behind", async (t, open) => {
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    const first = trail.next();
    await store.append([first], undefined);
    const forged = { ...first, hash: "f".repeat(64) };
    await t.rejects(store.append([forged, trail.created("1", "billing")], undefined), StoreError);
    await t.rejects(store.append([trail.created("2", "billing")], linkOf(forged)), StoreError);
    t.strictSame(await owners(store, "1", "2"), ["", ""]);
  });

  check("owners are listed in pages, in the order of bytes, all or of one caller", async (t, open) => {
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    const apps = ["b", "_", "A", "a-1", "a", "10", "9"];
    await store.append(
      [
        ...apps.map((app, at) => trail.created(app, at % 2 === 0 ? "billing" : "crm")),
        trail.ownerChange("gone", "", ""),
      ],
      undefined,
    );
    const inPages = async (limit: number, owner?: string) => {
      const read: string[] = [];
      for (;;) {
        const page = await store.owners({ owner, after: read.at(-1), limit });
        t.ok(page.length <= limit);
        if (page.length === 0) return read;
        read.push(...page.map(({ api_app_id }) => api_app_id));
      }
    };
    for (const limit of [1, 2, 3, 50]) {
      t.strictSame(await inPages(limit), ["10", "9", "A", "_", "a", "a-1", "b"], `in pages of ${limit}`);
      t.strictSame(await inPages(limit, "billing"), ["9", "A", "a", "b"]);
      t.strictSame(await inPages(limit, "nobody"), []);
      t.strictSame(await inPages(limit, ""), []);
    }
  });

  check("a reader sees an owner as soon as its record is stored", async (t, open) => {
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    await store.append([trail.next()], undefined);
    const reader = await open({});
    for (let app = 1; app <= 20; app++) {
      const after = trail.head;
      await store.append([trail.created(`${app}`, "billing")], after);
      t.strictSame(await owners(reader, `${app}`), ["billing"]);
    }
    const ids = Array.from({ length: 300 }, (_, at) => String(at));
    t.equal((await reader.ownersOf(ids)).size, 20);
    t.equal((await reader.owners({ owner: "billing", limit: 300 })).length, 20);
    await store.close();
    await t.rejects(store.ownersOf(["1"]), StoreError);
    await t.rejects(store.owners({ limit: 1 }), StoreError);
    t.equal((await reader.ownersOf(["20"])).size, 1);
  });

  check("retention removes records, never owners", async (t, open) => {
    const month = (name: string) => ({ time: Date.parse(`${name}-15T00:00:00.000Z`) });
    const trail = new Trail("a.1");
    const store = await open({ stream: "a.1" });
    await store.append(
      [
        trail.created("1", "billing", month("2027-01")),
        trail.created("2", "billing", month("2027-01")),
        trail.created("3", "billing", month("2027-01")),
        trail.ownerChange("2", "billing", "crm", month("2027-02")),
        trail.ownerChange("3", "billing", "", month("2027-02")),
      ],
      undefined,
    );
    const after = trail.head;
    t.equal(await store.remove(["2027-01"]), 3);
    t.strictSame(await owners(store, "1", "2", "3"), ["billing", "crm", ""]);
    t.strictSame(await store.damage(), []);
    await store.append([trail.ownerChange("1", "billing", "shop", month("2027-03"))], after);
    const later = trail.head;
    t.equal(await store.remove(["2027-02", "2027-03"]), 3);
    t.strictSame(await owners(store, "1", "2", "3"), ["shop", "crm", ""]);
    t.strictSame(await store.damage(), []);
    const rest = [
      trail.created("1", "mallory", month("2027-04")),
      trail.created("3", "shop", month("2027-04")),
    ];
    await t.rejects(store.append(rest, later), StoreError, "the last record of the stream is gone");
    await store.append([new Trail("b.1").created("1", "mallory", month("2027-04"))], undefined);
    t.strictSame(await owners(store, "1"), ["shop"], "what is gone still counts");
    t.strictSame(await store.damage(), []);
  });
}
