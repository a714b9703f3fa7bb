/**
 * The folder of a run: packages from npm, and a bundle of the worker for each state of Parley.
 *
 * @module
 */

import { ROOT } from "../../scripts/deno.ts";

/** The version of DBOS to compare with. */
export const DBOS_VERSION = "5.3.0";

/** The version of `@upstash/realtime` to compare with. */
export const REALTIME_VERSION = "1.1.0";

/** The version of a package from npm that this repository has locked. */
export function lockedVersion(name: string): string {
  const lock: { specifiers: Record<string, string> } = JSON.parse(Deno.readTextFileSync(new URL("deno.lock", ROOT)));
  const found = Object.entries(lock.specifiers).find(([specifier]) => specifier.startsWith(`npm:${name}@`));
  if (!found) throw new Error(`deno.lock has no npm:${name}`);
  return found[1];
}

/** The folder of a run. Disposing it removes it. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir({ prefix: "parley-bench-" }));
  }

  /** Installs packages from npm, for Node. They run no scripts. */
  async install(packages: readonly string[]): Promise<void> {
    await Deno.writeTextFile(`${this.path}/package.json`, `{ "private": true, "type": "module" }`);
    const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-update-notifier", "--loglevel=error"];
    await output("npm", ["install", ...options, ...packages], this.path);
  }

  /** Writes a state of the repository into the folder, and returns the URL of its root. */
  async checkOut(revision: string): Promise<URL> {
    const [archive, target] = [`${this.path}/${crypto.randomUUID()}.tar`, `${this.path}/${revision}`];
    await Deno.mkdir(target);
    await output("git", ["archive", `--output=${archive}`, revision], ROOT);
    await output("tar", ["-xf", archive, "-C", target], this.path);
    await Deno.remove(archive);
    return new URL(`file://${target}/`);
  }

  /**
   * Bundles a file of `bench/` for Node.
   *
   * @param entry The file, from the root of this repository.
   * @param root The root of the state of Parley that the file imports.
   * @param name The name of the bundle.
   * @param external The packages that are left out.
   * @returns The path of the bundle.
   */
  async bundle(entry: string, root: URL, name: string, external: readonly string[]): Promise<string> {
    const [config, bundle] = [`${this.path}/${name}.json`, `${this.path}/${name}.mjs`];
    await Deno.writeTextFile(config, JSON.stringify(await configFor(root)));
    const options = ["--quiet", "--no-lock", "--platform", "deno", "--config", config];
    const excluded = external.flatMap((it) => ["--external", it]);
    const file = new URL(entry, ROOT).pathname;
    await output(Deno.execPath(), ["bundle", ...options, ...excluded, "--output", bundle, file], root);
    return bundle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A configuration in which the name of the package means the state below a root. */
async function configFor(root: URL) {
  const read = async (file: string) => JSON.parse(await Deno.readTextFile(new URL(file, root)));
  const config: { name: string; exports: Record<string, string>; importMap?: string; imports?: object } = await read(
    "deno.json",
  );
  // Older states have the packages in `deno.json` itself.
  const { imports }: { imports?: object } = config.importMap === undefined ? config : await read(config.importMap);
  const own = Object.entries(config.exports).map((
    [path, file],
  ) => [config.name + path.slice(1), new URL(file, root).href]);
  return { imports: { ...imports, ...Object.fromEntries(own) } };
}

/** Runs a command, and returns its output. */
export async function output(command: string, args: readonly string[], cwd: string | URL): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd, stdin: "null" }).output();
  const [printed, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
  if (!success) throw new Error(`${command} ${args[0]} failed:\n${errors}${printed}`);
  return printed.trim();
}
