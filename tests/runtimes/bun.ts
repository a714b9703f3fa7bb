/**
 * Bun, out of npm.
 *
 * @module
 */

import { createRequire } from "node:module";
import process from "node:process";

/** As the packages with the binaries are named. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x64", arm64: "aarch64" };

/** What the packages are for, beside the system: Linux has two C libraries, and the packages of both are there. */
const VARIANTS = process.platform === "linux" ? ["", "-musl"] : [""];

/** Where Bun is: the package's script, which would put it elsewhere, is not run, but the binary is a file of a package of its own. */
export async function bunPath(): Promise<string> {
  // Without an import of it Deno would not find the package. It is not called: the module is not meant for that.
  const _import = () => import("bun");
  const { resolve } = createRequire(import.meta.resolve("bun"));
  for (const variant of VARIANTS) {
    const path = resolve(`@oven/bun-${process.platform}-${ARCHITECTURES[process.arch]}${variant}/bin/bun`);
    if (await runs(path)) return path;
  }
  throw new Error(`None of the binaries of the npm package bun runs here, on ${process.platform} ${process.arch}`);
}

async function runs(command: string): Promise<boolean> {
  return await new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" }).output().then(
    ({ success }) => success,
    () => false,
  );
}
