/**
 * Real DBOS apps, of several versions of DBOS, each in a process of its own.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Project } from "../../npm/project.ts";

/** The versions of the package `@dbos-inc/dbos-sdk`, the newest first. */
export const VERSIONS = ["5.3.0", "4.27.6", "4.20.11"] as const;

/** A version of DBOS. */
export type Version = typeof VERSIONS[number];

/** How long an app may take to start or to answer, in milliseconds. */
const PATIENCE_MS = 60_000;

/** A folder with versions of DBOS, and the app. */
export class DbosPackages implements AsyncDisposable {
  readonly #project: Project;

  private constructor(project: Project) {
    this.#project = project;
  }

  /** Installs versions. */
  static async install(versions: readonly Version[]): Promise<DbosPackages> {
    const packages = versions.map((version) => [`dbos-${version}`, `npm:@dbos-inc/dbos-sdk@${version}`]);
    const project = await Project.make(Object.fromEntries(packages));
    await Deno.copyFile(new URL("./app.js", import.meta.url), `${project.path}/app.js`);
    return new DbosPackages(project);
  }

  /** Starts an app. */
  async start(version: Version, database: string): Promise<DbosApp> {
    return await DbosApp.start(this.#project.path, version, database);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#project[Symbol.asyncDispose]();
  }
}

/** An app that runs. */
export class DbosApp {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #said: Promise<unknown>;
  #printed = "";
  readonly #listeners = new Set<() => void>();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#said = Promise.all([child.stdout, child.stderr].map((output) => this.#listen(output)));
  }

  static async start(folder: string, version: Version, database: string): Promise<DbosApp> {
    const child = new Deno.Command("node", {
      args: ["app.js"],
      cwd: folder,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { DBOS_PACKAGE: `dbos-${version}`, SYSTEM_DATABASE: database, NODE_NO_WARNINGS: "1" },
    }).spawn();
    const app = new DbosApp(child);
    await app.#until("ready");
    return app;
  }

  /** Starts a workflow as the app's own code does, so that it writes values in its own format. */
  async run(name: string, workflowId: string, ...args: unknown[]): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify([name, workflowId, ...args])}\n`));
    await this.#until(`started ${workflowId}`);
  }

  /** Kills the process, and waits until it is gone. */
  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
    await this.#child.status;
    await this.#input.close().catch(() => {});
    await this.#said;
  }

  /** Takes what the app prints. Its log has the errors of workflows that fail on purpose. */
  async #listen(output: Deno.ChildProcess["stdout"]): Promise<void> {
    for await (const text of output.pipeThrough(new TextDecoderStream())) {
      this.#printed += text;
      for (const listener of this.#listeners) listener();
    }
  }

  /** Waits until the app has printed a line. */
  async #until(line: string): Promise<void> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const ended = this.#child.status.then(({ code }) =>
      assert.fail(`the app has ended with ${code}: ${this.#printed}`)
    );
    const late = new Promise<never>((_, reject) => patience.onabort = () => reject(new Error(`no line ${line}`)));
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => this.#printed.split("\n").includes(line) && resolve();
    this.#listeners.add(look);
    look();
    try {
      await Promise.race([promise, ended, late]);
    } finally {
      this.#listeners.delete(look);
      patience.onabort = null;
      ended.catch(() => {});
    }
  }
}
