import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { auditSchemas } from "./audit/event-schema.ts";
import { failure } from "./route-schema.ts";

/**
 * What the page may load: its own files, and the styles that Swagger UI sets on elements. The plugin's default also
 * asks browsers to upgrade to https, which breaks the page where the gateway is reached over plain HTTP in a cluster.
 */
const docsPolicy = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'self'",
  "frame-ancestors 'none'",
].join("; ");

/** Serves `/docs`, `/openapi.json` and `/openapi.yaml`, all made from the routes. Add it before them. */
export async function addOpenapi(app: FastifyInstance, version: string): Promise<void> {
  for (const schema of [failure, ...auditSchemas]) app.addSchema(schema);
  // Replies are sent as bytes that are ready; the schemas of replies are documentation.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Coze gateway",
        version,
        description:
          "Calls Coze's callback-app API for services that do not hold a Coze token. Paths, methods and bodies are " +
          "Coze's own. Every failure is Coze's envelope with `gateway` added; branch on `gateway.error`.",
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [{ url: "/", description: "This gateway" }],
      tags: [
        { name: "callback apps", description: "Callback apps and the events they subscribe to." },
        { name: "gateway", description: "The gateway itself." },
        { name: "audit", description: "Who did what, with every attempt's logid; the gateway's own." },
      ],
      components: {
        securitySchemes: {
          callerKey: {
            type: "http",
            scheme: "bearer",
            description: "A caller key, `cgw_<caller>_...`, or a JWT of a configured issuer.",
          },
        },
      },
      security: [{ callerKey: [] }],
    },
    refResolver: { buildLocalReference: (json) => String(json["$id"]) },
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: docsPolicy,
    uiConfig: {
      layout: "BaseLayout",
      docExpansion: "list",
      defaultModelsExpandDepth: -1,
      displayRequestDuration: true,
      persistAuthorization: false,
      tryItOutEnabled: true,
      validatorUrl: null,
    },
    theme: { title: "Coze gateway" },
  });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  app.get("/openapi.yaml", { schema: { hide: true } }, async (_, reply) => {
    return reply.type("application/yaml; charset=utf-8").send(app.swagger({ yaml: true }));
  });
}
