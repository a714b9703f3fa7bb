import assert from "node:assert/strict";
import { read, sourceFiles } from "./files.ts";

const lineCount = (path: string) => read(path).split("\n").length - 1;

Deno.test("source files are short: nine in ten have at most 300 lines, none more than 400", () => {
  const files = sourceFiles();
  const long = files.filter((path) => lineCount(path) > 300);
  assert(long.length <= files.length / 10, `more than 300 lines:\n${long.join("\n")}`);
  assert.deepEqual(files.filter((path) => lineCount(path) > 400), []);
});

Deno.test("the lock file names packages, and no host or path", () => {
  const lock = read("deno.lock");
  assert(lock.includes(`"npm:devalue@`));
  assert.doesNotMatch(lock, /:\/\/|"remote"|"redirects"|\/(home|root|work|tmp)\//);
});

Deno.test("every package is imported from npm, by its name in deno.json", () => {
  const { imports }: { imports: Record<string, string> } = JSON.parse(read("deno.json"));
  // Import maps need a package and the paths below it as two entries. Both have the same version.
  const isNpm = (name: string, target: string) =>
    name.endsWith("/")
      ? target === imports[name.slice(0, -1)]?.replace(/^npm:(.*)$/, "npm:/$1/")
      : target.startsWith(`npm:${name}@^`);
  assert.deepEqual(Object.entries(imports).filter(([name, target]) => !isNpm(name, target)), []);
});
