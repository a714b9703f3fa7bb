/**
 * Finds workerd, and makes sure that it ends.
 *
 * @module
 */

import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";

/**
 * Makes Miniflare start workerd through `keeper.sh`.
 *
 * @returns The environment of that script: the path of the binary. The package has the binary in
 * one of its optional dependencies, which Deno installs as npm does, without a script of a package.
 */
export function keepWorkerd(): Record<string, string> {
  const require = createRequire(import.meta.resolve("miniflare"));
  const keeper = fileURLToPath(import.meta.resolve("./keeper.sh"));
  // Not every way to copy a repository keeps the permission to execute.
  Deno.chmodSync(keeper, 0o755);
  process.env.MINIFLARE_WORKERD_PATH = keeper;
  return { WORKERD: (require("workerd") as { default: string }).default };
}
