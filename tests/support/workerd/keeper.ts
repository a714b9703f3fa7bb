/**
 * Which workerd is run, and who sees to its end.
 *
 * @module
 */

import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";

/**
 * Has Miniflare start workerd through `keeper.sh`.
 *
 * @returns What that script's environment has to have: where the binary is. The package has it in one of its optional dependencies, which
 * Deno installs as npm does; no script of a package has to run for it.
 */
export function keepWorkerd(): Record<string, string> {
  const require = createRequire(import.meta.resolve("miniflare"));
  const keeper = fileURLToPath(import.meta.resolve("./keeper.sh"));
  // Not every way to copy a repository keeps that.
  Deno.chmodSync(keeper, 0o755);
  process.env.MINIFLARE_WORKERD_PATH = keeper;
  return { WORKERD: (require("workerd") as { default: string }).default };
}
