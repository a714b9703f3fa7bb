import assert from "node:assert/strict";
import { deno, ROOT, sourceFiles, withDirectory } from "./files.ts";

interface Import {
  /** The importing file, from the root. */
  from: string;
  /**
   * The imported file, from the root. For anything else, the specifier as written, with `type:`
   * before it if only types are imported.
   */
  to: string;
}

/** The allowed imports of the files that match. The first match wins. */
const RULES: readonly { files: RegExp; mayImport: RegExp }[] = [
  { files: /^core\/values\/codec\.ts$/, mayImport: /^(core\/|devalue$)/ },
  { files: /^core\/schedule\.ts$/, mayImport: /^(core\/|croner$)/ },
  { files: /^core\//, mayImport: /^core\// },
  { files: /^mod\.ts$/, mayImport: /^(core\/|drivers\/memory\/)/ },
  { files: /^drivers\/memory\//, mayImport: /^(core\/|drivers\/(memory\/|(?!push)\w+\.ts$))/ },
  { files: /^drivers\/\w+\.ts$/, mayImport: /^(core\/|drivers\/\w+\.ts$)/ },
  { files: /^drivers\/sqlite\//, mayImport: /^(core\/|drivers\/(sqlite\/|\w+\.ts$))/ },
  {
    files: /^drivers\/durable_object\//,
    mayImport: /^(core\/|drivers\/(durable_object\/|sqlite\/|\w+\.ts$)|cloudflare:workers$)/,
  },
  { files: /^drivers\/postgres\//, mayImport: /^(core\/|drivers\/(postgres\/|\w+\.ts$))/ },
  {
    files: /^drivers\/neon\//,
    mayImport: /^(core\/|drivers\/(neon\/|postgres\/|\w+\.ts$)|@neondatabase\/serverless$)/,
  },
  {
    files: /^drivers\/upstash\//,
    mayImport: /^(core\/|drivers\/(upstash\/|\w+\.ts$)|@upstash\/redis$|eventsource-parser$)/,
  },
  { files: /^http\/client\//, mayImport: /^(core\/|http\/(client\/|(envelope|protocol|quietly|segment)\.ts$))/ },
  {
    files: /^http\//,
    mayImport: /^(core\/|http\/|hono($|\/)|type:hono($|\/)|valibot$|type:valibot$|@valibot\/to-json-schema$)/,
  },
  { files: /^dbos\/values\/superjson\.ts$/, mayImport: /^superjson$/ },
  { files: /^dbos\//, mayImport: /^(core\/|dbos\/|drivers\/(neon\/|postgres\/|\w+\.ts$))/ },
  { files: /^otel\//, mayImport: /^(type:)?(core\/observer\.ts$|otel\/)/ },
  {
    files: /^cli\//,
    mayImport:
      /^(core\/|drivers\/|http\/(client\/|protocol\.ts$)|cli\/|pg$|node:(child_process|process|util|(fs|readline)\/promises)$)/,
  },
  { files: /^conformance\//, mayImport: /^(core\/|conformance\/|testing\/manual_clock\.ts$|node:assert\/strict$)/ },
  { files: /^testing\//, mayImport: /^(core\/|testing\/|drivers\/memory\/)/ },
  { files: /^tests\//, mayImport: /^/ },
  { files: /^(examples|bench|scripts)\//, mayImport: /^(?!tests\/)/ },
];

/**
 * The layers of the core, top to bottom. A file imports from its own layer and from those below.
 */
const LAYERS: readonly RegExp[] = [
  /^core\/(parley|options)\.ts$/,
  /^core\/runner\//,
  /^core\/context\//,
  /^core\/run\//,
  /^core\/read\//,
  /^core\/(client|inspection|readers)\.ts$/,
  /^core\/(schedule|workflow)\.ts$/,
  /^core\/(step_context|wait_options)\.ts$/,
  /^core\/channel\.ts$/,
  /^core\/observe\//,
  /^core\/values\//,
  /^core\/time\//,
  /^core\/errors(\.ts$|\/)/,
  /^core\/standard_schema\.ts$/,
  /^core\/observer\.ts$/,
  /^core\/driver\//,
];

/** The layer of a file of the core, from 0 at the top; -1 for any other file. */
function layerOf(file: string): number {
  return LAYERS.findIndex((layer) => layer.test(file));
}

/** Whether an import leads from a layer of the core to a higher one. */
function leadsUp({ from, to }: Import): boolean {
  return layerOf(from) >= 0 && layerOf(to) >= 0 && layerOf(to) < layerOf(from);
}

/**
 * The files that import each other in a circle, each circle once and in alphabetical order. Type
 * imports count.
 */
function circlesOf(imports: readonly Import[]): string[][] {
  const targets = Map.groupBy(imports, ({ from }) => from);
  const reachable = (start: string) => {
    const seen = new Set<string>();
    for (const todo = [start]; todo.length > 0;) {
      for (const { to } of targets.get(todo.pop()!) ?? []) {
        if (!seen.has(to)) todo.push(to);
        seen.add(to);
      }
    }
    return seen;
  };
  const reached = new Map([...targets.keys()].map((file) => [file, reachable(file)]));
  const circles = [...reached].filter(([file, others]) => others.has(file))
    .map(([file, others]) => [...others].filter((other) => reached.get(other)?.has(file)).toSorted());
  return [...new Map(circles.map((circle) => [circle.join(), circle])).values()];
}

function isAllowed({ from, to }: Import): boolean {
  return RULES.find(({ files }) => files.test(from))?.mayImport.test(to) ?? false;
}

/** The imports that Deno itself finds: static, dynamic and type imports, resolved. */
async function importsOf(files: readonly string[]): Promise<Import[]> {
  const { stdout } = await withDirectory(async (directory) => {
    const root = `${directory}/all.ts`;
    await Deno.writeTextFile(root, files.map((file) => `import ${JSON.stringify(new URL(file, ROOT))};\n`).join(""));
    return await deno("info", "--json", "--config", "deno.json", root);
  });
  const { modules }: { modules: Module[] } = JSON.parse(stdout);
  return modules.filter(({ specifier }) => files.includes(fromRoot(specifier))).flatMap(
    ({ specifier, dependencies = [], error }) => {
      assert(!error, `${specifier}: ${error}`);
      return dependencies.map((it) => {
        const resolved = (it.code ?? it.type)?.specifier ?? "";
        const written = it.code ? it.specifier : `type:${it.specifier}`;
        return { from: fromRoot(specifier), to: resolved.startsWith("file:") ? fromRoot(resolved) : written };
      });
    },
  );
}

interface Module {
  specifier: string;
  error?: string;
  dependencies?: { specifier: string; code?: { specifier: string }; type?: { specifier: string } }[];
}

function fromRoot(specifier: string): string {
  return specifier.replace(ROOT.href, "");
}

Deno.test("every import keeps to the dependency rule", async () => {
  const files = sourceFiles();
  const imports = await importsOf(files);
  const importing = new Set(imports.map(({ from }) => from));
  for (const file of ["mod.ts", "core/parley.ts", "drivers/memory/mod.ts", "conformance/mod.ts"]) {
    assert(importing.has(file), `${file} was not read`);
  }
  assert.deepEqual(imports.filter((it) => !isAllowed(it)), []);
});

Deno.test("no files import each other in a circle", async () => {
  const imports = (await importsOf(sourceFiles())).filter(({ from }) => !from.startsWith("tests/"));
  assert.deepEqual(circlesOf(imports), []);
});

Deno.test("in the core no import leads from a layer to a higher one", async () => {
  const core = sourceFiles().filter((file) => file.startsWith("core/"));
  assert.deepEqual(core.filter((file) => layerOf(file) < 0), []);
  assert.deepEqual((await importsOf(core)).filter(leadsUp), []);
});

Deno.test("circles and imports that lead up are found", () => {
  const pairs = (...files: string[]) => files.slice(1).map((to, index) => ({ from: files[index]!, to }));
  assert.deepEqual(circlesOf(pairs("a", "b", "c")), []);
  assert.deepEqual(circlesOf([...pairs("a", "c", "b", "a", "d"), ...pairs("e", "f", "e")]), [["a", "b", "c"], [
    "e",
    "f",
  ]]);
  assert(leadsUp({ from: "core/run/run.ts", to: "core/context/context.ts" }));
  assert(leadsUp({ from: "core/values/values.ts", to: "core/channel.ts" }));
  assert(!leadsUp({ from: "core/context/context.ts", to: "core/run/run.ts" }));
});

Deno.test("the dependency rule refuses what it is there to refuse", () => {
  const refused: Import[] = [
    { from: "core/parley.ts", to: "drivers/memory/mod.ts" },
    { from: "core/parley.ts", to: "devalue" },
    { from: "core/parley.ts", to: "node:crypto" },
    { from: "core/values/codec.ts", to: "hono" },
    { from: "core/values/values.ts", to: "type:hono" },
    { from: "drivers/postgres/mod.ts", to: "drivers/memory/mod.ts" },
    { from: "drivers/postgres/mod.ts", to: "conformance/mod.ts" },
    { from: "drivers/push.ts", to: "drivers/neon/session.ts" },
    { from: "drivers/memory/mod.ts", to: "drivers/push.ts" },
    { from: "drivers/sqlite/mod.ts", to: "drivers/memory/mod.ts" },
    { from: "drivers/sqlite/mod.ts", to: "node:sqlite" },
    { from: "drivers/neon/session.ts", to: "drivers/upstash/transport/push.ts" },
    { from: "drivers/neon/driver.ts", to: "dbos/mod.ts" },
    { from: "dbos/client.ts", to: "superjson" },
    { from: "dbos/mod.ts", to: "drivers/upstash/mod.ts" },
    { from: "http/client/client.ts", to: "hono" },
    { from: "http/client/transport.ts", to: "http/wire/problem.ts" },
    { from: "http/mod.ts", to: "drivers/memory/mod.ts" },
    { from: "otel/mod.ts", to: "@opentelemetry/api" },
    { from: "otel/mod.ts", to: "type:@opentelemetry/api" },
    { from: "otel/mod.ts", to: "core/parley.ts" },
    { from: "core/options.ts", to: "otel/mod.ts" },
    { from: "cli/mod.ts", to: "http/mod.ts" },
    { from: "http/client/client.ts", to: "cli/mod.ts" },
    { from: "conformance/mod.ts", to: "drivers/memory/mod.ts" },
    { from: "examples/checkout/main.ts", to: "tests/project/files.ts" },
    { from: "elsewhere/mod.ts", to: "core/parley.ts" },
  ];
  assert.deepEqual(refused.filter(isAllowed), []);
});
