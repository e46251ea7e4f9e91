import t from "tap";
import { authorize } from "../../src/callers/authorize.ts";
import type { Grant } from "../../src/callers/policy.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Operation } from "../../src/operation.ts";
import { operations } from "../../src/operations/registry.ts";

const app = "7512045450401153075";
const namesApp = ({ path }: Operation) => path.includes("/:api_app_id");

/** What a caller with these grants is told when it calls the operation; undefined when it may. */
function refusal(grants: readonly Grant[], operation: Operation): string | undefined {
  try {
    authorize({ id: "me", keys: [], grants: [...grants] }, operation, namesApp(operation) ? app : undefined);
    return undefined;
  } catch (error) {
    if (error instanceof GatewayError && error.error === "forbidden") return error.message;
    throw error;
  }
}

for (const operation of operations) {
  t.test(operation.id, async (t) => {
    const { permission } = operation;
    const grant = (ids: Grant["api_app_ids"], ...names: readonly string[]) => ({
      permissions: names.length > 0 ? [...names] : [permission],
      api_app_ids: ids,
    });
    const others = [...new Set(operations.map((other) => other.permission))].filter(
      (name) => name !== permission,
    );
    const noPermission = `Caller me does not hold the permission ${permission}.`;
    const noApp = namesApp(operation)
      ? `Caller me does not hold ${permission} on this callback app.`
      : `Caller me holds ${permission} on some callback apps; ${operation.id} needs it on all.`;
    const onApp = namesApp(operation) ? undefined : noApp;
    const cases: Record<string, [grants: readonly Grant[], refusal: string | undefined]> = {
      "no grant": [[], noPermission],
      "every other permission on all": [[grant("all", ...others)], noPermission],
      "the permission on all": [[grant("all")], undefined],
      "among others on all": [[grant("all", ...others, permission)], undefined],
      "on this app": [[grant([app])], onApp],
      "on this app among others": [[grant(["1", app, "2"])], onApp],
      "on another app": [[grant(["1"])], noApp],
      "on an app whose id holds this one": [[grant([`${app}0`, app.slice(1)])], noApp],
      "the permission on another app, others on all": [[grant(["1"]), grant("all", ...others)], noApp],
      "others on this app, the permission on another": [[grant([app], ...others), grant(["1"])], noApp],
      "on two apps in two grants": [[grant(["1"]), grant([app])], onApp],
      "on another app and on all": [[grant(["1"]), grant("all")], undefined],
      "on all and on another app": [[grant("all"), grant(["1"])], undefined],
    };
    for (const [name, [grants, expected]] of Object.entries(cases)) {
      t.equal(refusal(grants, operation), expected, name);
    }
  });
}
