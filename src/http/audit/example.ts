import { Chain } from "../../audit/chain.ts";
import { exportLine } from "../../audit/export.ts";
import { labelsOf } from "../../audit/store.ts";
import type { Json } from "../../operation.ts";

const chain = new Chain("coze-gateway-0.5f0c2a9d7be14c36");
const { record, text, hash } = chain.seal(
  {
    time: Date.parse("2027-03-10T12:00:00.250Z"),
    uptime_ms: 61_250,
    kind: "outcome",
    request_id: "0b6f6a1e-6d0c-4c9d-8a52-3f1d8d6f7b10",
    caller: "billing",
    credential_id: "5d41402abc4b2a76",
    operation: "delete_api_app",
    permission: "deleteApiApp",
    api_app_id: "7512345678901234567",
    closes: { stream: chain.stream, seq: 1 },
    outcome: "done",
    status: 200,
    attempts: [
      { attempt: 1, class: "ok", status: 200, code: 0, logid: "20270310120000A1B2C3D4E5F60718293A", ms: 118 },
    ],
  },
  1,
);

/** One record as the routes of the audit trail show it, for the documentation; made as real ones are. */
export const auditEventExample: Readonly<Record<string, Json>> = JSON.parse(
  exportLine({ ...labelsOf(record), text, hash, position: 2 }),
);
