/**
 * The chat of `examples/chat`, in a process of its own that can be killed, and its readers.
 *
 * @module
 */

import { addChunk, type ChatChunk } from "../../examples/chat/message.ts";
import { ROOT } from "../project/files.ts";
import { until } from "./chat_setup.ts";

/** A server on one port and one directory, over any number of processes. */
export class ChatServer implements AsyncDisposable {
  readonly #directory: string;
  readonly #port: number;
  #process: Deno.ChildProcess | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#port = listener.addr.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts a process, and waits until it answers. */
  async start(): Promise<void> {
    const options = ["--port", `${this.#port}`, "--data", this.#directory, "--pause", "80", "--lease", "2s"];
    const args = ["run", "--quiet", "-A", "examples/chat/main.ts", ...options];
    this.#process = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null", stdout: "null" }).spawn();
    await until(async () =>
      (await fetch(this.url).then((it) => it.body!.cancel(), () => false)) !==
        false
    );
  }

  /** Kills the process, as a crash does. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.status;
    this.#process = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Reads the text of an answer by `EventSource`. */
export async function readPlainly(url: string): Promise<string> {
  const chunks: ChatChunk[] = [];
  const source = new EventSource(url);
  source.addEventListener("message", ({ data }) => addChunk(chunks, JSON.parse(data)));
  let ended = false;
  source.addEventListener("end", () => ended = true);
  await until(() => ended);
  source.close();
  return chunks.map((it) => it.type === "text-delta" ? it.delta : "").join("");
}
