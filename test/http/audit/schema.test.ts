import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import swagger from "@fastify/swagger";
import { Ajv2020, type AnySchema } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import Fastify from "fastify";
import t from "tap";
import { gatewayErrors } from "../../../src/errors.ts";
import { getAuditEvent, listAuditEvents } from "../../../src/http/audit/actions.ts";
import { auditSchemas } from "../../../src/http/audit/event-schema.ts";
import { auditEventExample } from "../../../src/http/audit/example.ts";
import { getSchema, listSchema } from "../../../src/http/audit/schema.ts";
import { failure } from "../../../src/http/route-schema.ts";

interface Media {
  readonly schema: AnySchema;
  readonly examples: Readonly<Record<string, { readonly value: unknown }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
  readonly schema: AnySchema;
  readonly example?: unknown;
}

interface Entry {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, Media>> }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, { readonly get: Entry }>>;
  readonly components: { readonly schemas: Readonly<Record<string, AnySchema>> };
}

/** The document that the plugin makes of these routes alone, set up as the gateway sets it up. */
async function describe(): Promise<Document> {
  const app = Fastify();
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  for (const schema of [failure, ...auditSchemas]) app.addSchema(schema);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Coze gateway", version: "0", license: { name: "MIT", identifier: "MIT" } },
      servers: [{ url: "/" }],
      tags: [{ name: "audit", description: "The trail." }],
      components: { securitySchemes: { callerKey: { type: "http", scheme: "bearer" } } },
      security: [{ callerKey: [] }],
    },
    refResolver: { buildLocalReference: (json) => String(json["$id"]) },
  });
  app.get("/gateway/v1/audit/events", { schema: listSchema }, async () => "");
  app.get("/gateway/v1/audit/events/:id", { schema: getSchema }, async () => "");
  await app.ready();
  // What YAML and JSON show of it.
  return JSON.parse(JSON.stringify(app.swagger()));
}

const document = await describe();
const list = document.paths["/gateway/v1/audit/events"]?.get as Entry;
const get = document.paths["/gateway/v1/audit/events/{id}"]?.get as Entry;

t.test("Redocly finds neither an error nor a warning", async (t) => {
  const redocly = new URL("../../../node_modules/.bin/redocly", import.meta.url).pathname;
  const folder = t.testdir({ "openapi.json": JSON.stringify(document) });
  const environment = { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", NODE_OPTIONS: "" };
  const lint = promisify(execFile)(
    process.execPath,
    [redocly, "lint", join(folder, "openapi.json"), "--extends=recommended", "--format=json"],
    { env: { ...process.env, ...environment } },
  );
  const { stdout } = await lint.catch((failed: { stdout: string }) => failed);
  const { totals, problems } = JSON.parse(stdout);
  t.strictSame(problems, []);
  t.match(totals, { errors: 0, warnings: 0, ignored: 0 });
});

t.test("each route says what it does, who may ask, and that this is recorded", async (t) => {
  for (const [entry, action] of [
    [list, listAuditEvents],
    [get, getAuditEvent],
  ] as const) {
    t.equal(entry.operationId, action.id);
    t.ok(entry.summary);
    t.match(entry.description, "Permission: `readAudit`");
    t.match(entry.description, "recorded");
    t.strictSame(entry.tags, ["audit"]);
    for (const { name, description } of entry.parameters) t.ok(description, name);
    const statuses = [...new Set(Object.values(gatewayErrors).map(({ status }) => String(status)))];
    t.strictSame(Object.keys(entry.responses).sort(), ["200", ...statuses].sort());
  }
});

t.test("every parameter is there", async (t) => {
  const names = ({ parameters }: Entry) => parameters.map((each) => `${each.in} ${each.name}`).sort();
  t.strictSame(names(get), ["header x-request-id", "path id"]);
  t.strictSame(names(list), [
    "header x-request-id",
    "query api_app_id",
    "query caller",
    "query credential_id",
    "query from",
    "query kind",
    "query logid",
    "query operation",
    "query order",
    "query outcome",
    "query page_size",
    "query page_token",
    "query request_id",
    "query to",
  ]);
});

t.test("every example obeys its schema, the record's own included", async (t) => {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  const check = (schema: AnySchema) => ajv.compile({ allOf: [schema], components: document.components });
  let examples = 0;
  for (const { parameters, responses } of [list, get]) {
    for (const { name, schema, example } of parameters) {
      if (example === undefined) continue;
      examples += 1;
      t.ok(check(schema)(example), name);
    }
    for (const [status, { content }] of Object.entries(responses)) {
      for (const [type, { schema, examples: named }] of Object.entries(content)) {
        for (const [name, { value }] of Object.entries(named)) {
          examples += 1;
          const validate = check(schema);
          t.ok(validate(value), `${status} ${type} ${name}: ${ajv.errorsText(validate.errors)}`);
        }
      }
    }
  }
  t.ok(examples > 20);
  const validate = check(document.components.schemas["AuditEvent"] as AnySchema);
  t.ok(validate(auditEventExample));
  t.notOk(validate({ ...auditEventExample, record: { v: 2 } }), "the schema of the record is looked at");
});

t.test("a list is JSON or NDJSON, one record is JSON", async (t) => {
  t.strictSame(Object.keys(list.responses["200"]?.content ?? {}), [
    "application/json",
    "application/x-ndjson",
  ]);
  t.strictSame(Object.keys(get.responses["200"]?.content ?? {}), ["application/json"]);
});
