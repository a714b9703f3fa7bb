import assert from "node:assert/strict";
import { read, sourceFiles } from "./files.ts";

const lineCount = (path: string) => read(path).split("\n").length - 1;

Deno.test("source files are short: nine in ten have at most 300 lines, none more than 400", () => {
  const files = sourceFiles();
  const long = files.filter((path) => lineCount(path) > 300);
  assert(long.length <= files.length / 10, `more than 300 lines:\n${long.join("\n")}`);
  assert.deepEqual(files.filter((path) => lineCount(path) > 400), []);
});
