import t from "tap";
import { getAuditEvent, listAuditEvents } from "../../../src/http/audit/actions.ts";
import { isMutating } from "../../../src/operation.ts";
import { operations, permissions } from "../../../src/operations/registry.ts";

t.test("reading the trail changes nothing and takes a permission that a grant can name", async (t) => {
  for (const action of [listAuditEvents, getAuditEvent]) {
    t.equal(isMutating(action), false);
    t.equal(action.permission, "readAudit");
    t.ok(permissions.has(action.permission));
  }
});

t.test("no two actions have one name, and no operation of Coze's gives the permission", async (t) => {
  const actions = [...operations, listAuditEvents, getAuditEvent];
  t.equal(new Set(actions.map(({ id }) => id)).size, actions.length);
  t.notOk(operations.some(({ permission }) => permission === "readAudit"));
});
