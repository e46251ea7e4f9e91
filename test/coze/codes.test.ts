import t from "tap";
import { cozeCodes, permissionMissingCode } from "../../src/coze/codes.ts";
import { gatewayErrors } from "../../src/errors.ts";

/** FACTS (b), by class; 1109 and 3010 belong to WebSocket events, which never come as an HTTP reply. */
const facts: Readonly<Record<string, readonly number[]>> = {
  coze_invalid_request: [
    4000, 4003, 4004, 4007, 4010, 4012, 4014, 4015, 4021, 4105, 4300, 4301, 4302, 4303, 4304, 6031, 6039,
    702042162, 702232007, 708232001, 720702002, 720702011, 777074044,
  ],
  coze_not_found: [4001, 4002, 4005, 4006, 4200, 4314, 702242003, 720702004, 720702204],
  coze_conflict: [4016, 4029, 4104, 4201, 4315],
  coze_quota: [4008, 4011, 4019, 4022, 4027, 4028, 4033, 702042018, 702082020, 702095072],
  coze_throttled: [4009, 4013, 4020, 710005002],
  coze_token_rejected: [4100, 700012006],
  coze_permission_missing: [4101, 708232003],
  coze_blocked: [4102, 700012014, 700012015],
  coze_unavailable: [5000, 6023, 708230702, 720701013, 720702085, 720702222],
};

const classOf: Readonly<Record<string, string>> = {
  coze_throttled: "throttled",
  coze_token_rejected: "token_rejected",
  coze_unavailable: "fault",
};

for (const [error, codes] of Object.entries(facts)) {
  t.test(error, async (t) => {
    t.ok(error in gatewayErrors, "is a word of the closed table");
    for (const code of codes) {
      const line = cozeCodes.get(code);
      t.match(line, { error, class: classOf[error] ?? "refused" }, String(code));
      t.match(line?.source, /^[DSIO?](, [DSIO?])*$/, `${code} says where it is from`);
      t.not(line?.meaning, "");
    }
  });
}

t.test("nothing stands in the table that FACTS does not know, and 0 does not", async (t) => {
  const known = Object.values(facts).flat();
  t.same([...cozeCodes.keys()].sort(), known.sort());
  t.notOk(cozeCodes.has(0));
  t.equal(permissionMissingCode, 4101);
});
