import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { ACTIONS } from "../../http/auth/auth.ts";
import { bearer, parleyHttp, scopedTokens } from "../../http/mod.ts";
import { ROUTES } from "../../http/routes/mod.ts";
import { memoryDriver, Parley } from "../../mod.ts";
import { deno } from "../project/files.ts";

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean; description?: string; schema: Record<string, unknown> }[];
  requestBody?: { content: Record<string, { schema: unknown }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: unknown }> }>;
  security?: unknown;
}
interface Document {
  openapi: string;
  security: unknown;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
}

const app = parleyHttp({ parley: new Parley({ driver: memoryDriver() }), auth: bearer("token") });
const get = async () => await app.request("/openapi.json", { headers: { authorization: "Bearer token" } });

async function load(): Promise<{ document: Document; operations: [name: string, operation: Operation][] }> {
  const document: Document = await (await get()).json();
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation])
  );
  return { document, operations };
}

Deno.test("GET /openapi.json is a valid OpenAPI document", async () => {
  const { document } = await load();
  assert.match(document.openapi, /^3\.1/);
  assert.deepEqual(await new Validator().validate(structuredClone(document) as never), { valid: true });
});

Deno.test("the document has every route that is registered, and no other", async () => {
  const { operations } = await load();
  const registered = app.routes.map(({ method, path }) =>
    `${method.toLowerCase()} ${path.replace(/:_parley_own_(\w+)/g, "{$1}")}`
  );
  assert.deepEqual(operations.map(([name]) => name).toSorted(), registered.toSorted());
  assert.equal(new Set(operations.map(([, { operationId }]) => operationId)).size, ROUTES.length);
});

Deno.test("the document describes the parameters, bodies, answers and errors of every operation", async () => {
  const { document, operations } = await load();
  for (const [name, { parameters = [], requestBody, responses }] of operations) {
    const inPath = parameters.filter((it) => it.in === "path").map((it) => it.name);
    assert.deepEqual(inPath, Array.from(name.matchAll(/\{(\w+)\}/g), ([, parameter]) => parameter), name);
    assert.deepEqual(parameters.filter(({ description }) => !description).map((it) => `${name} ${it.name}`), []);
    for (const [status, { description, content = {} }] of Object.entries(responses)) {
      assert(description, `${name} ${status}`);
      if (Number(status) >= 400) {
        assert.deepEqual(content, {
          "application/problem+json": { schema: { $ref: "#/components/schemas/ProblemBody" } },
        });
      }
    }
    for (const status of ["400", "401", "403", "500", "502", "503"]) assert(responses[status], `${name} ${status}`);
    if (requestBody) {
      assert(requestBody.content["application/json"]?.schema && responses["413"] && responses["415"], name);
    }
  }
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((
    [, name = ""],
  ) => name);
  assert(references.length > 20);
  assert.deepEqual(references.filter((name) => !(name in document.components.schemas)), []);
});

Deno.test("the document describes the credentials, and shows the schemas that check requests", async () => {
  const { document } = await load();
  assert.deepEqual(document.security, [{ bearer: [] }]);
  assert.deepEqual(Object.keys(document.components.securitySchemes), ["bearer", "token"]);
  const { StartBody } = document.components.schemas as {
    StartBody: { required: string[]; additionalProperties: boolean };
  };
  assert.deepEqual([StartBody.required, StartBody.additionalProperties], [["workflow"], false]);
  const limit = document.paths["/workflows"]?.get?.parameters?.find(({ name }) => name === "limit");
  assert.deepEqual([limit?.in, limit?.required, limit?.schema.type], ["query", false, "string"]);
});

Deno.test("the document needs the permission for the info of any workflow", async () => {
  const tokens = scopedTokens("a secret of the tests");
  const scoped = parleyHttp({ parley: new Parley({ driver: memoryDriver() }), auth: tokens });
  const status = async (scope: Parameters<typeof tokens.mint>[0]) =>
    (await scoped.request("/openapi.json", { headers: { authorization: `Bearer ${await tokens.mint(scope)}` } }))
      .status;
  assert.equal(await status({ actions: ["info"], expiresIn: "1m" }), 200);
  assert.equal(await status({ actions: ACTIONS.filter((it) => it !== "info"), expiresIn: "1m" }), 403);
  assert.equal((await scoped.request("/openapi.json")).status, 401);
});

Deno.test("the code that makes the document is loaded on the first request for it", async () => {
  const { stdout } = await deno("info", "--json", "--config", "deno.json", "http/mod.ts");
  interface Dependency {
    specifier: string;
    isDynamic?: boolean;
    code?: { specifier: string };
  }
  const { modules }: { modules: { specifier: string; dependencies?: Dependency[] }[] } = JSON.parse(stdout);
  const importing = modules.flatMap(({ specifier, dependencies = [] }) =>
    dependencies.filter((it) => it.code?.specifier.endsWith("http/routes/document.ts")).map((
      it,
    ) => [specifier.replace(/^.*\/http\//, ""), it.isDynamic])
  );
  assert.deepEqual(importing, [["routes/openapi.ts", true]]);
});
