/**
 * A package from npm without the packages that it needs, for packages that are too large to install.
 *
 * @module
 */

import assert from "node:assert/strict";

/** The files of a package, in a temporary folder. Disposing it removes them. */
export class PackedPackage implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Downloads a version, as in `square@46.0.0`. */
  static async download(version: string): Promise<PackedPackage> {
    const folder = await Deno.makeTempDir({ prefix: "parley-packed-" });
    const output = await run(folder, "npm", "pack", version, "--silent");
    await run(folder, "tar", "-xzf", output.trim());
    return new PackedPackage(folder);
  }

  /** The path of a file of the package. */
  file(path: string): string {
    return `${this.#folder}/package/${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function run(cwd: string, command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd, stdin: "null" }).output();
  assert.equal(code, 0, `${command} ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
