/**
 * A process of one system, and its commands.
 *
 * @module
 */

import type { Arguments } from "../worker/serve.ts";

/** How to start a process. */
export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

/** The answer to a command. */
export interface Answer<T> {
  readonly value: T;
  /** The statements that the process sent to the database meanwhile. */
  readonly requests: number;
}

interface Message {
  readonly id: number;
  readonly value?: unknown;
  readonly requests?: number;
  readonly error?: string;
}

const MARK = "@bench ";

/** A command that takes longer has failed. The longest takes half a minute on a busy machine. */
const PATIENCE_MS = 120_000;

/** How long a process may take to end. After that it is killed. */
const END_MS = 2_000;

/** A process that carries out commands; see `worker/main.ts`. */
export class WorkerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer<unknown>>>();
  readonly #ended: Promise<unknown>;
  #number = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#ended = this.#read();
  }

  /** Starts a process and waits until it is ready. */
  static async start({ command, args, cwd }: ProcessOptions): Promise<WorkerProcess> {
    const child = new Deno.Command(command, {
      args: [...args],
      cwd,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", NODE_NO_WARNINGS: "1" },
    }).spawn();
    const worker = new WorkerProcess(child);
    await worker.#answer(0, "its start");
    return worker;
  }

  /** Has a command carried out. It fails after `patienceMs`. */
  async call<T>(
    command: string,
    args: Partial<Arguments> = {},
    patienceMs: number = PATIENCE_MS,
  ): Promise<Answer<T>> {
    const id = ++this.#number;
    const line = new TextEncoder().encode(`${JSON.stringify({ id, command, args })}\n`);
    const [answer] = await Promise.all([this.#answer(id, command, patienceMs), this.#input.write(line)]);
    return answer as Answer<T>;
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    const late = setTimeout(() => this.#kill(), END_MS);
    await this.#child.status;
    clearTimeout(late);
    await this.#ended;
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has just ended by itself.
    }
  }

  #answer(id: number, what: string, patienceMs: number = PATIENCE_MS): Promise<Answer<unknown>> {
    const waiting = Promise.withResolvers<Answer<unknown>>();
    this.#waiting.set(id, waiting);
    const timer = setTimeout(() => waiting.reject(new Error(`${what} takes more than ${patienceMs} ms`)), patienceMs);
    return waiting.promise.finally(() => clearTimeout(timer));
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith(MARK)) this.#take(JSON.parse(line.slice(MARK.length)));
        else console.error(line);
      }
    }
    for (const { reject } of this.#waiting.values()) reject(new Error("A process of the benchmark has ended"));
  }

  #take({ id, value, requests = 0, error }: Message): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve({ value, requests });
    else waiting?.reject(new Error(error));
  }
}
