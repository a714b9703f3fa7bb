import assert from "node:assert/strict";
import { deno, ROOT, withDirectory } from "../../project/files.ts";

/** Everything that is made for an observer is made here. */
const OBSERVE = new URL("core/observe/", ROOT).href;

interface ScriptCoverage {
  url: string;
  functions: { functionName: string; ranges: { count: number }[] }[];
}

/** How often each function of `core/observe/` was called, by V8's own count. */
async function calls(mode: "load" | "without" | "with"): Promise<Record<string, number>> {
  return await withDirectory(async (directory) => {
    const args = ["-A", "--quiet", `--coverage=${directory}`, "tests/core/observe/cost_program.ts"];
    const { code, stderr } = await deno("run", ...args, mode);
    assert.equal(code, 0, stderr);
    const counts: Record<string, number> = {};
    for await (const { name } of Deno.readDir(directory)) {
      if (!name.endsWith(".json")) continue;
      const { url, functions }: ScriptCoverage = JSON.parse(await Deno.readTextFile(`${directory}/${name}`));
      if (!url.startsWith(OBSERVE)) continue;
      const file = url.slice(OBSERVE.length);
      functions.forEach(({ functionName, ranges }, index) => {
        const { count } = ranges[0]!;
        // The first one is the module. V8 counts its evaluation once or twice.
        if (index > 0 && count > 0) counts[`${file} ${index} ${functionName}`] = count;
      });
    }
    return counts;
  });
}

Deno.test("without an observer nothing of core/observe/ is called, and so nothing is allocated there", async () => {
  const loaded = await calls("load");
  assert(Object.keys(loaded).length > 0, "it is loaded");
  assert.deepEqual(await calls("without"), loaded);
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((total, count) => total + count, 0);
  assert(sum(await calls("with")) > sum(loaded) + 1_000, "the count sees calls");
});
