/**
 * A user's project in a temporary folder, with packages from npm.
 *
 * @module
 */

import assert from "node:assert/strict";
import { arch, platform } from "node:process";

/** A process that hangs is stopped. */
const PATIENCE_MS = 180_000;

/** The versions of Node that the package supports. */
export const NODE_MAJORS = [20, 22, 24];

/** What a process printed. */
export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a `package.json` of the kind that users have. Disposing it removes it. */
export class Project implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a project and installs packages. Nothing that npm prints may be a warning. */
  static async make(dependencies: Readonly<Record<string, string>>): Promise<Project> {
    const project = new Project(await Deno.makeTempDir({ prefix: "parley-project-" }));
    await project.write("package.json", JSON.stringify({ private: true, type: "module", dependencies }));
    const { stdout, stderr } = await project.run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund");
    assert.doesNotMatch(stdout + stderr, /\bwarn\b.*@parley/);
    return project;
  }

  /** Writes a file. */
  async write(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.path}/${name}`, text);
  }

  /** The path of a file of an installed package. */
  file(path: string): string {
    return `${this.path}/node_modules/${path}`;
  }

  /** Runs a program in the folder. It must end with 0. */
  async run(command: string, ...args: string[]): Promise<Printed> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const env = { NO_COLOR: "1", NODE_NO_WARNINGS: "", WRANGLER_SEND_METRICS: "false" };
    const options = { args, cwd: this.path, stdin: "null", env, signal } as const;
    const { code, ...output } = await new Deno.Command(command, options).output();
    const [stdout, stderr] = [output.stdout, output.stderr].map((it) => new TextDecoder().decode(it));
    assert.equal(code, 0, `${command} ${args.join(" ")}\n${stderr}\n${stdout}`);
    return { stdout: stdout!, stderr: stderr! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** The packages with Node's programs, by the names that {@linkcode nodePath} takes. */
export function nodePackages(majors: readonly number[]): Record<string, string> {
  const system = `${platform === "win32" ? "win" : platform}-${arch}`;
  return Object.fromEntries(majors.map((major) => [`node-${major}`, `npm:node-${system}@${major}`]));
}

/** The program of a Node that was installed. */
export function nodePath(project: Project, major: number): string {
  return project.file(`node-${major}/bin/node`);
}
