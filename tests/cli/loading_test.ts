import assert from "node:assert/strict";
import { deno, ROOT } from "../project/files.ts";

interface Module {
  specifier: string;
  dependencies?: { specifier: string; isDynamic?: true; code?: { specifier: string } }[];
}

/** What a module loads at once: what it imports, other than types and what it imports later. */
async function loadedBy(path: string): Promise<string[]> {
  const { stdout } = await deno("info", "--json", "--config", "deno.json", path);
  const modules: Map<string, Module> = new Map(
    JSON.parse(stdout).modules.map((it: Module) => [it.specifier, it]),
  );
  const loaded = new Set([new URL(path, ROOT).href]);
  for (const specifier of loaded) {
    for (const { code, isDynamic } of modules.get(specifier)?.dependencies ?? []) {
      if (code && !isDynamic) loaded.add(code.specifier);
    }
  }
  return [...loaded].map((it) => it.replace(ROOT.href, ""));
}

Deno.test("the command line loads drivers, clients and packages only for a command that needs them", async () => {
  const loaded = await loadedBy("cli/mod.ts");
  assert(loaded.includes("cli/commands/list.ts"));
  assert.deepEqual(
    loaded.filter((it) => /^(drivers|http\/client|core\/(run|runner|read)|npm:|core\/parley\.ts)/.test(it)),
    [],
  );
  assert((await loadedBy("cli/stores.ts")).every((it) => !it.startsWith("npm:") && !it.startsWith("drivers/")));
});
