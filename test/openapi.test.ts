import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { Ajv2020, type AnySchema } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import t from "tap";
import { parse } from "yaml";
import { describeApi } from "../src/commands/openapi.ts";
import { gatewayErrors } from "../src/errors.ts";
import { operations } from "../src/operations/registry.ts";

interface Media {
  readonly schema: AnySchema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

interface Reply {
  readonly description: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly content: { readonly "application/json": Media };
}

interface Entry {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly externalDocs: { readonly url: string };
  readonly parameters: readonly {
    readonly in: string;
    readonly name: string;
    readonly required: boolean;
    readonly schema: AnySchema;
    readonly example?: unknown;
    readonly description?: string;
  }[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: { readonly "application/json": Media };
  };
  readonly responses: Readonly<Record<string, Reply>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Entry>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, AnySchema>>;
    readonly securitySchemes: unknown;
  };
  readonly security: unknown;
}

const committed = new URL("../openapi/", import.meta.url);
const { json, yaml } = await describeApi();
const document: Document = JSON.parse(json);

/** Each operation with its entry in the document. */
const entries = operations.map((operation) => {
  const path = operation.path.replace(/:(\w+)/g, "{$1}");
  const entry = document.paths[path]?.[operation.method.toLowerCase()];
  if (!entry) throw new Error(`${operation.id} is not in the document`);
  return { operation, entry };
});

t.test("the committed document is the generated one (else run `npm run openapi`)", async (t) => {
  t.equal(await readFile(new URL("openapi.json", committed), "utf8"), json);
  t.equal(await readFile(new URL("openapi.yaml", committed), "utf8"), yaml);
  t.same(parse(yaml), document, "both forms say the same");
});

t.test("Redocly finds neither an error nor a warning", async (t) => {
  const redocly = new URL("../node_modules/.bin/redocly", import.meta.url).pathname;
  const file = new URL("openapi.json", committed).pathname;
  const environment = { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  const lint = promisify(execFile)(
    process.execPath,
    [redocly, "lint", file, "--extends=recommended", "--format=json"],
    { env: { ...process.env, ...environment, NODE_OPTIONS: "" } },
  );
  const { stdout } = await lint.catch((failed: { stdout: string }) => failed);
  const { totals, problems } = JSON.parse(stdout);
  t.same(problems, []);
  t.match(totals, { errors: 0, warnings: 0, ignored: 0 });
});

t.test("it holds the operations and nothing else", async (t) => {
  t.equal(document.openapi, "3.1.0");
  const others = Object.keys(document.paths).filter((path) => !path.startsWith("/v1/"));
  t.strictSame(others, ["/gateway/v1/whoami", "/gateway/v1/audit/events", "/gateway/v1/audit/events/{id}"]);
  const routes = Object.values(document.paths).flatMap((methods) => Object.keys(methods));
  t.equal(routes.length, operations.length + others.length);
  t.match(document.components.securitySchemes, { callerKey: { type: "http", scheme: "bearer" } });
  t.same(document.security, [{ callerKey: [] }]);
});

for (const { operation, entry } of entries) {
  t.test(`${operation.id}: everything a caller needs is in its entry`, async (t) => {
    t.equal(entry.operationId, operation.id);
    t.equal(entry.summary, operation.summary);
    t.match(entry.description, `Permission: \`${operation.permission}\``);
    t.equal(entry.externalDocs.url, `https://www.coze.cn/open/docs/developer_guides/${operation.source}`);
    t.same(
      entry.parameters.map((parameter) => `${parameter.in} ${parameter.name}`).sort(),
      [
        "header x-gateway-dry-run",
        "header x-gateway-timeout-ms",
        "header x-request-id",
        ...Object.keys(operation.query?.["properties"] ?? {}).map((name) => `query ${name}`),
        ...Object.keys(operation.params?.["properties"] ?? {}).map((name) => `path ${name}`),
      ].sort(),
    );
    for (const parameter of entry.parameters) {
      t.ok(parameter.description, `${parameter.name} is described`);
      t.equal(parameter.required, parameter.in === "path");
    }
    t.equal(entry.requestBody?.required, operation.body && true);
    const statuses = [...new Set(Object.values(gatewayErrors).map(({ status }) => String(status)))];
    t.same(Object.keys(entry.responses).sort(), ["200", ...statuses].sort());
  });

  t.test(`${operation.id}: every reply has its headers and every error an example`, async (t) => {
    const words = new Set<string>();
    for (const [status, { description, headers, content }] of Object.entries(entry.responses)) {
      t.ok(description);
      t.same(
        ["x-request-id", "x-tt-logid", "x-gateway-attempts"].filter((name) => !(name in headers)),
        [],
        status,
      );
      t.equal("retry-after" in headers, status === "429" || status === "503", status);
      t.equal("www-authenticate" in headers, status === "401", status);
      for (const word of Object.keys(content["application/json"].examples ?? {})) words.add(word);
    }
    t.same([...words].sort(), ["success", ...Object.keys(gatewayErrors)].sort());
  });

  t.test(`${operation.id}: every example obeys its schema`, async (t) => {
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    formats.default(ajv);
    const check = (schema: AnySchema, value: unknown, what: string) => {
      // A reference of the document needs the document's components around it.
      const validate = ajv.compile({ allOf: [schema], components: document.components });
      t.ok(validate(value), `${what}: ${ajv.errorsText(validate.errors)}`);
    };
    for (const { name, schema, example } of entry.parameters) {
      if (example !== undefined) check(schema, example, name);
    }
    const request = entry.requestBody?.content["application/json"];
    t.equal(request?.example !== undefined, operation.body !== undefined, "a body has an example");
    if (request) check(request.schema, request.example, "body");
    for (const [status, { content }] of Object.entries(entry.responses)) {
      const { schema, examples = {} } = content["application/json"];
      t.ok(Object.keys(examples).length > 0, status);
      for (const [name, { value }] of Object.entries(examples)) check(schema, value, `${status} ${name}`);
    }
  });
}
