/**
 * The package that `npm install` brings, in projects of users: built, packed, and installed from its
 * tarball. `deno task npm:matrix` also runs what takes minutes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { buildPackage, packPackage } from "../../scripts/npm/build.ts";
import { read, ROOT } from "../project/files.ts";
import { bunPath } from "../runtimes/bun.ts";
import { NODE_MAJORS, nodePackages, nodePath, Project } from "./project.ts";

/** Whether to run every combination. */
const ALL = Deno.env.get("PARLEY_NPM_MATRIX") === "1";

const STORY_PRINTS = "https://pay.example/order-1\norder-1: 20 paid\n";
const ENTRIES_PRINT = "4 function Hello, Ada\n";

/** The versions of TypeScript by the names under which they are installed. */
const COMPILERS: Readonly<Record<string, string>> = {
  "typescript-5.9": "npm:typescript@~5.9.3",
  ...(ALL && { "typescript-6": "npm:typescript@^6.0.3" }),
  "typescript-7": "npm:typescript@^7.0.2",
};

/** The first example of the README, and the same over a store in memory, for runtimes without `node:sqlite`. */
const example = /```ts ignore\n(.*?)```/s.exec(read("README.md"))![1]!;
const story = example.replaceAll(/^import .*sqlite.*\n/gm, "").replace("event, Parley", "event, memoryDriver, Parley")
  .replace(/sqliteDriver\(.*?\)\)/, "memoryDriver()");
const entries = read("tests/npm/programs/entries.ts");
const { exports }: { exports: Record<string, string> } = JSON.parse(read("deno.json"));

const folder = await Deno.makeTempDir({ prefix: "parley-package-" });
const built = `${folder}/package`;
await buildPackage({ outDir: built, repository: "https://host.test/parley/parley" });
const tarball = `file:${await packPackage(built, folder)}`;
const project = await Project.make({
  "@parley/parley": tarball,
  "@types/node": "^20.0.0",
  "eventsource-parser": "^4.1.3",
  "hono": "^4.13.19",
  ...COMPILERS,
  ...nodePackages(NODE_MAJORS),
});
await project.write("story.ts", story);
await project.write("entries.ts", entries);
Deno.test.afterAll(async () => {
  await project[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});

function namesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name);
}

/** Type-checks both programs, and writes them as JavaScript if there is a folder for that. */
async function compile(
  compiler: string,
  resolution: "nodenext" | "bundler",
  exactOptionalPropertyTypes: boolean,
  outDir?: string,
): Promise<void> {
  const compilerOptions = {
    strict: true,
    target: "es2022",
    lib: ["es2022", "esnext.disposable", "dom"],
    types: ["node"],
    module: resolution === "nodenext" ? "nodenext" : "esnext",
    moduleResolution: resolution,
    exactOptionalPropertyTypes,
    skipLibCheck: false,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    ...(outDir ? { outDir, rootDir: "." } : { noEmit: true }),
  };
  await project.write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["story.ts", "entries.ts"] }));
  await project.run(nodePath(project, 24), project.file(`${compiler}/bin/tsc`), "-p", ".");
}

Deno.test("the package has the entry points of deno.json and its documents, and names no folder of the build", async () => {
  const manifest = JSON.parse(await Deno.readTextFile(`${built}/package.json`));
  assert.deepEqual(Object.keys(manifest.exports), [...Object.keys(exports), "./package.json"]);
  assert.equal(manifest.repository.url, "git+https://host.test/parley/parley.git");
  assert.deepEqual(Object.keys(manifest.peerDependencies), Object.keys(manifest.peerDependenciesMeta));
  const files = namesIn(project.file("@parley/parley"));
  for (const name of ["README.md", "LICENSE", "CHANGELOG.md"]) assert(files.includes(name), name);
  for (const name of files.filter((it) => it.endsWith(".js"))) {
    const code = await Deno.readTextFile(`${built}/${name}`);
    assert(!/parley-(npm|package)-/.test(code) && !code.includes(ROOT.pathname), name);
  }
});

Deno.test("entry points and the command load without the packages of others, and npm warns of nothing", async () => {
  await using plain = await Project.make({ "@parley/parley": tarball });
  // One needs a peer, the other one a module of Cloudflare's runtime.
  const elsewhere = ["./http", "./durable-object"];
  const own = Object.keys(exports).filter((it) => !elsewhere.includes(it)).map((it) => `@parley/parley${it.slice(1)}`);
  await plain.write("main.js", own.map((it) => `await import("${it}");`).join("\n"));
  await plain.run(nodePath(project, 20), "main.js");
  const { stdout } = await plain.run(nodePath(project, 20), plain.file(".bin/parley"), "--help");
  assert.match(stdout, /parley COMMAND --help/);
  assert.deepEqual(namesIn(plain.file("")).filter((it) => ["hono", "pg", "@neondatabase"].includes(it)), []);
  // `module.registerHooks` would show the same, but Node 20 lacks it.
  await plain.write("root.js", `import "@parley/parley";`);
  const { stderr } = await plain.run("env", "NODE_DEBUG=esm", nodePath(project, 20), "root.js");
  assert.match(stderr, /node_modules\/devalue\//);
  assert.doesNotMatch(stderr, /node_modules\/(valibot|@valibot)\//);
});

for (const compiler of Object.keys(COMPILERS)) {
  for (const resolution of ["nodenext", "bundler"] as const) {
    for (const exact of [true, false]) {
      // TypeScript 5.9 takes five times as long as 7.
      if (!ALL && compiler !== "typescript-7" && !(resolution === "nodenext" && exact)) continue;
      Deno.test(`${compiler}: strict, ${resolution}, exactOptionalPropertyTypes ${exact}`, async () => {
        await compile(compiler, resolution, exact);
      });
    }
  }
}

Deno.test("the README's story and all entry points run in Node 20, 22, 24 and in Bun", async () => {
  await compile("typescript-7", "nodenext", true, "out");
  const bun = await bunPath();
  for (const command of [...NODE_MAJORS.map((it) => nodePath(project, it)), bun]) {
    assert.deepEqual(await project.run(command, "out/story.js"), { stdout: STORY_PRINTS, stderr: "" }, command);
    assert.deepEqual(await project.run(command, "out/entries.js"), { stdout: ENTRIES_PRINT, stderr: "" }, command);
  }
  assert.equal((await project.run(bun, "story.ts")).stdout, STORY_PRINTS);
});

Deno.test("the sources run in Node 24, which only strips types", async () => {
  const sources = `${project.path}/sources`;
  await Deno.mkdir(sources);
  const { publish: { include } }: { publish: { include: string[] } } = JSON.parse(read("deno.json"));
  await project.run("cp", "-r", ...include.map((it) => `${ROOT.pathname}${it}`.replace(/\/$/, "")), sources);
  // The name of the package then means this folder.
  const manifest = { name: "@parley/parley", type: "module", exports };
  await project.write("sources/package.json", JSON.stringify(manifest));
  await project.write("sources/story.ts", example);
  await project.write("sources/entries.ts", entries);
  const node = nodePath(project, 24);
  assert.equal((await project.run(node, "sources/story.ts")).stdout, STORY_PRINTS);
  assert.equal((await project.run(node, "sources/entries.ts")).stdout, ENTRIES_PRINT);
});

Deno.test({
  name: "the package passes publint and attw, runs in vitest and with the oldest Hono, and wrangler bundles it",
  ignore: !ALL,
  fn: async () => {
    await using tools = await Project.make({
      "@parley/parley": tarball,
      "hono": "4.0.0",
      "vitest": "^4.1.12",
      "wrangler": "^4.0.0",
      "publint": "^0.3.25",
      "@arethetypeswrong/cli": "^0.18.5",
    });
    const node = (...args: string[]) => tools.run(nodePath(project, 24), ...args);
    const packed = tarball.replace("file:", "");
    assert.match((await node(tools.file("publint/src/cli.js"), packed)).stdout, /All good!/);
    await node(tools.file("@arethetypeswrong/cli/dist/index.js"), packed, "--profile", "esm-only");

    await tools.write("entries.js", await Deno.readTextFile(`${project.path}/out/entries.js`));
    assert.equal((await node("entries.js")).stdout, ENTRIES_PRINT);

    await tools.write("story.test.ts", VITEST);
    for (const major of NODE_MAJORS) {
      const { stdout } = await tools.run(nodePath(project, major), tools.file("vitest/vitest.mjs"), "run");
      assert.match(stdout, /Tests\s+1 passed/);
    }

    await tools.write("worker.ts", WORKER);
    const options = ["--dry-run", "--name", "shop", "--compatibility-date", "2026-07-01", "--outdir", "worker"];
    const { stdout, stderr } = await node(tools.file("wrangler/bin/wrangler.js"), "deploy", "worker.ts", ...options);
    assert.match(stdout, /Total Upload: .* gzip/);
    assert.doesNotMatch(stdout + stderr, /WARNING|ERROR/);
    console.log(/Total Upload: .*/.exec(stdout)![0]);
  },
});

const VITEST = `
import { topic, workflow } from "@parley/parley";
import { testParley } from "@parley/parley/testing";
import { expect, test } from "vitest";

const paid = topic<number>("paid");
const order = workflow("order", async (ctx) => {
  await ctx.sleep("3d");
  return await ctx.recv(paid);
});

test("an order is paid after three days", async () => {
  const parley = testParley({ workflows: [order] });
  const handle = await parley.start(order, undefined);
  await parley.advance("3d");
  await handle.send(20, { topic: paid });
  expect(await handle.result()).toBe(20);
  await parley.close();
});
`;

const WORKER = `
import { memoryDriver, Parley, workflow } from "@parley/parley";
import { bearer, parleyHttp } from "@parley/parley/http";

const greet = workflow("greet", (_ctx, name: string) => "Hello, " + name);
const parley = new Parley({ driver: memoryDriver(), workflows: [greet] });
export default parleyHttp({ parley, auth: bearer("s3cret") });
`;
