import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { FastifyInstance, FastifySchemaValidationError } from "fastify";
import type { Issue } from "../errors.ts";
import { redactCredentials } from "../telemetry/logger.ts";

/** More issues than this help nobody, and a hostile body could ask for thousands. */
const mostIssues = 20;

/**
 * Two compilers: what stands in a URL is text and is read as the number that the schema asks for, a JSON body must
 * have the right type as it is, so that an id never silently turns from a number into a string.
 */
export function addValidation(app: FastifyInstance): void {
  const options = { allErrors: true, verbose: true, strictRequired: false, useDefaults: false } as const;
  // A strict Ajv leaves out the bounds of a number that is not finite, which is what it makes of "1e999".
  const text = new Ajv2020({ ...options, coerceTypes: true, strictNumbers: false });
  const json = new Ajv2020({ ...options, coerceTypes: false });
  for (const ajv of [text, json]) formats.default(ajv, ["uri"]);
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === "body" ? json : text).compile(schema));
}

/** Turns the validator's findings into lines that name the field and say what would be right. */
export function issuesOf(errors: readonly FastifySchemaValidationError[], part = "request"): Issue[] {
  const place = part === "querystring" ? "query" : part;
  return errors
    .map((error) => error as ErrorObject)
    .filter(({ keyword }) => keyword !== "if")
    .slice(0, mostIssues)
    .map((error) => issueOf(error, place));
}

function issueOf(error: ErrorObject, place: string): Issue {
  const { keyword, instancePath, params, parentSchema } = error;
  const at = [place, ...instancePath.split("/").slice(1)].join(".");
  if (keyword === "required") return { path: `${at}.${params["missingProperty"]}`, message: "is required" };
  if (keyword === "additionalProperties") {
    const name = redactCredentials(String(params["additionalProperty"])).slice(0, 128);
    return { path: `${at}.${name}`, message: "is not a field of this operation" };
  }
  return { path: at, message: messageOf(keyword, params, parentSchema) };
}

function messageOf(
  keyword: string,
  params: ErrorObject["params"],
  schema: ErrorObject["parentSchema"],
): string {
  switch (keyword) {
    case "type":
      return `must be ${params["type"] === "object" ? "a JSON object" : `of type ${params["type"]}`}`;
    case "enum":
      return `must be one of: ${params["allowedValues"].join(", ")}`;
    case "minProperties":
      return `needs at least one of: ${Object.keys(schema?.["properties"]).join(", ")}`;
    case "minLength":
      return "must not be empty";
    case "maxLength":
      return `must have at most ${params["limit"]} characters`;
    case "minItems":
      return "must not be an empty list";
    case "maxItems":
      return `must have at most ${params["limit"]} items`;
    case "uniqueItems":
      return "must not name anything twice";
    case "minimum":
    case "maximum":
      return `must be between ${schema?.["minimum"]} and ${schema?.["maximum"]}`;
    case "format":
      return `must be a ${params["format"]}`;
    default:
      return `must match ${schema?.["pattern"]}${schema?.["description"] ? ` (${schema["description"]})` : ""}`;
  }
}
