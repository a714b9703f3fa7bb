/**
 * The packages from npm: their versions, and what has to be downloaded for the demo.
 *
 * @module
 */

import assert from "node:assert/strict";
import { projectFiles, read, ROOT, withDirectory } from "./files.ts";

/** The examples have packages of their own: their `deno.json` and their lock name nothing else. */
const EXAMPLES = [
  { folder: "examples/checkout", files: ["main.ts", "demo.ts"] },
  { folder: "examples/chat", files: ["main.ts", "page/main.ts"] },
];
const EXAMPLE_MAX_BYTES = 60_000_000;

const { imports }: { imports: Record<string, string> } = JSON.parse(read("imports.json"));

/** The versions of a lock, by the package and its range. */
function lockOf(folder: string): { specifiers: Record<string, string>; npm: Record<string, unknown> } {
  return JSON.parse(read(`${folder}deno.lock`));
}

/** Deno's lock files write `~0.1.2` for `^0.1.2`, and `1` for `^1.0.0`, but keep `^0.0.1`. */
function locked(specifier: string): string {
  return specifier.replace(/@\^(0\.[1-9]\d*\.\d+)$/, "@~$1").replace(/@\^(\d+)\.0\.0$/, "@$1");
}

Deno.test("the lock files name packages, and no host or path", () => {
  for (const path of projectFiles().filter((it) => it.endsWith("deno.lock"))) {
    const lock = read(path);
    assert(lock.includes(`"npm:devalue@`));
    assert.doesNotMatch(lock, /:\/\/|"remote"|"redirects"|\/(home|root|work|tmp)\//);
  }
});

Deno.test("every package is imported from npm, by its name in imports.json, and is in the lock file", () => {
  // Import maps need a package and the paths below it as two entries. Both have the same version.
  const isNpm = (name: string, target: string) =>
    name.endsWith("/")
      ? target === imports[name.slice(0, -1)]?.replace(/^npm:(.*)$/, "npm:/$1/")
      : target.startsWith(`npm:${name}@^`);
  assert.deepEqual(Object.entries(imports).filter(([name, target]) => !isNpm(name, target)), []);
  const { specifiers } = lockOf("");
  const missing = Object.values(imports).filter((it) => !it.endsWith("/") && !(locked(it) in specifiers));
  assert.deepEqual(missing, [], "`deno install --lock=deno.lock` adds them");
});

Deno.test("the examples take the versions of imports.json", () => {
  for (const { folder } of EXAMPLES) {
    const own: { imports: Record<string, string> } = JSON.parse(read(`${folder}/deno.json`));
    const packages = Object.entries(own.imports).filter(([, target]) => !target.startsWith("../../"));
    assert(packages.length > 5);
    assert.deepEqual(packages, packages.map(([name]) => [name, imports[name]]));
  }
});

Deno.test("deno task downloads nothing before it runs a task", async () => {
  await withDirectory(async (directory) => {
    const { code, stdout, stderr } = await deno({ DENO_DIR: directory }, "task", "--eval", "echo ran");
    assert.deepEqual([code, stdout], [0, "ran\n"], stderr);
    assert.doesNotMatch(stderr, /Download|Warning/);
  });
});

for (const { folder, files } of EXAMPLES) {
  Deno.test(`${folder} downloads at most 60 MB`, async () => {
    const paths = files.map((file) => `${folder}/${file}`);
    const { code, stderr } = await deno({}, "cache", "--quiet", ...paths);
    assert.equal(code, 0, `${stderr}\n\`deno cache --frozen=false ${paths.join(" ")}\` mends the lock`);
    const { npmCache }: { npmCache: string } = JSON.parse((await deno({}, "info", "--json")).stdout);
    const folders = childrenOf(npmCache);
    const packages = Object.keys(lockOf(`${folder}/`).npm).map((it) => it.replace(/^(.+?)@([^_]+).*$/, "$1/$2"));
    const sizes = packages.map((it) => Math.max(...folders.map((folder) => bytesOf(`${folder}/${it}`))));
    assert.deepEqual(packages.filter((_, index) => !sizes[index]), [], "not downloaded");
    const total = sizes.reduce((sum, size) => sum + size, 0);
    assert(total < EXAMPLE_MAX_BYTES, `${total} bytes: ${packages.join(" ")}`);
  });
}

/** Runs `deno` in the root, with the configuration and the lock that it finds by itself. */
async function deno(env: Record<string, string>, ...args: string[]) {
  const options = { args, cwd: ROOT, stdin: "null", env: { NO_COLOR: "1", ...env } } as const;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), options).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** The size of a file, or of the files below a folder; 0 if there is neither. */
function bytesOf(path: string): number {
  const { isDirectory, size } = statOf(path);
  return isDirectory ? childrenOf(path).reduce((sum, child) => sum + bytesOf(child), 0) : size;
}

function childrenOf(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => `${path}/${name}`);
}

function statOf(path: string): { isDirectory: boolean; size: number } {
  try {
    return Deno.statSync(path);
  } catch {
    return { isDirectory: false, size: 0 };
  }
}
