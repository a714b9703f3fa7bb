/**
 * The routes as an OpenAPI document. It is made of the specs and schemas with which the routes are
 * served.
 *
 * @module
 */

import { toJsonSchema, toJsonSchemaDefs } from "@valibot/to-json-schema";
import type * as v from "valibot";
import type { ParleyErrorCode } from "../../core/errors.ts";
import { PARLEY_JSON } from "../protocol.ts";
import { type HttpErrorCode, statusOf, TEMPORARY_STATUS } from "../wire/problem.ts";
import type { DescribedAnswer, Route } from "./route.ts";
import * as schemas from "./schemas.ts";

type Json = Record<string, unknown>;
type Schema = v.GenericSchema;
type Spec = Route["spec"];
type Code = ParleyErrorCode | HttpErrorCode;

/** The version of this interface, which is not that of the package. */
const VERSION = "1.0.0";

/** Errors of every route, and of routes with a body. */
const ERRORS = {
  any: ["invalid_value", "unauthorized", "forbidden", "not_acceptable", "internal", "unsupported", "driver"],
  body: ["body_too_slow", "body_too_large", "unsupported_media_type"],
} as const satisfies Record<string, readonly Code[]>;

const PATH_PARAMETERS: Readonly<Record<string, string>> = {
  id: "The workflow's ID, percent-encoded. An ID of one or two dots, with or without trailing ~, needs one more ~",
  key: "The key, percent-encoded. A key of one or two dots, with or without trailing ~, needs one more ~",
};

/**
 * Schemas with a name of their own in the document: those of bodies, under the name that
 * `schemas.ts` exports.
 */
const NAMED: Record<string, Schema> = Object.fromEntries(
  Object.entries<unknown>(schemas).filter((entry): entry is [string, Schema] =>
    isSchema(entry[1]) && entry[0] !== "WaitParameter"
  ),
);

/** A body in the library's own encoding. */
const ENCODED = {
  description: "The JSON of application/json, in which each value (input, output, message, result and so on) is " +
    "encoded as the npm package devalue does",
};

const CONVERSION = {
  target: "draft-2020-12",
  typeMode: "input",
  // A transformation has no JSON Schema. Its input has one.
  errorMode: "ignore",
  definitions: NAMED,
  overrideRef: ({ referenceId }: { referenceId: string }) => `#/components/schemas/${referenceId}`,
} as const;

/**
 * Creates the document.
 *
 * @param routes The routes.
 * @param mount The path at which they are mounted; empty at the root.
 */
export function toDocument(routes: readonly Route[], mount: string): Json {
  const paths: Record<string, Json> = {};
  for (const { spec } of routes) {
    const path = spec.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [spec.method]: toOperation(spec) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Parley",
      version: VERSION,
      description: "Durable messages, events and streams for workflows. `HEAD` is served wherever `GET` is.",
    },
    servers: [{ url: mount || "/" }],
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas: toJsonSchemaDefs(NAMED, CONVERSION),
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        token: {
          type: "apiKey",
          in: "query",
          name: "token",
          description: "For a browser's EventSource, with scoped tokens",
        },
      },
    },
  };
}

function toOperation(spec: Spec): Json {
  const parameters = [...pathParameters(spec.path), ...queryParameters(spec.query), ...headerParameters(spec.headers)];
  return {
    operationId: `${spec.method}${spec.path.replace(/\W+(\w)/g, (_, first: string) => first.toUpperCase())}`,
    summary: spec.summary,
    ...(parameters.length > 0 && { parameters }),
    ...(spec.body && { requestBody: { required: true, content: toContent(spec.body) } }),
    responses: {
      ...Object.fromEntries(Object.entries(spec.responses).map(([status, it]) => [status, toAnswer(it)])),
      ...toErrors(spec),
    },
    ...(spec.method === "get" && { security: [{ bearer: [] }, { token: [] }] }),
  };
}

function pathParameters(path: string): Json[] {
  return Array.from(path.matchAll(/:(\w+)/g), ([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    description: PATH_PARAMETERS[name],
    schema: { type: "string", minLength: 1 },
  }));
}

function queryParameters(query: Schema | undefined): Json[] {
  if (!query) return [];
  const { properties = {}, required = [] } = toSchema(query) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(description !== undefined && { description }),
    schema,
  }));
}

function headerParameters(headers: Readonly<Record<string, string>> = {}): Json[] {
  // OpenAPI has other places for these headers.
  return Object.entries(headers).filter(([name]) => !["accept", "content-type", "authorization"].includes(name))
    .map(([name, description]) => ({ name, in: "header", required: false, description, schema: { type: "string" } }));
}

function toAnswer({ description, schema, content, headers = {} }: DescribedAnswer): Json {
  return {
    description,
    ...(Object.keys(headers).length > 0 && {
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, meaning]) => [name, { description: meaning, schema: { type: "string" } }]),
      ),
    }),
    ...(schema && content?.length !== 0 && { content: toContent(schema, content) }),
  };
}

/** Only JSON has a schema. To OpenAPI, a live type is a text. */
function toContent(schema: Schema, types: readonly string[] = ["application/json", PARLEY_JSON]): Json {
  const described: Record<string, Json> = { "application/json": toSchema(schema), [PARLEY_JSON]: ENCODED };
  return Object.fromEntries(types.map((type) => [type, { schema: described[type] ?? { type: "string" } }]));
}

/** One answer for each status, with the codes of that status. */
function toErrors(spec: Spec): Json {
  const codes: readonly Code[] = [...ERRORS.any, ...(spec.body ? ERRORS.body : []), ...(spec.errors ?? [])];
  const byStatus = new Map<number, Code[]>([[TEMPORARY_STATUS, ["driver"]]]);
  for (const code of codes) byStatus.set(statusOf(code), [...byStatus.get(statusOf(code)) ?? [], code]);
  const content = { "application/problem+json": { schema: toSchema(schemas.ProblemBody) } };
  return Object.fromEntries([...byStatus].map(([status, them]) => [status, { description: them.join(", "), content }]));
}

function toSchema(schema: Schema): Json {
  const { $schema: _, $defs: __, ...converted } = toJsonSchema(schema, CONVERSION) as Json;
  return converted;
}

function isSchema(value: unknown): boolean {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "schema";
}
