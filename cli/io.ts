/**
 * What the command line reads and writes, and that of the process.
 *
 * @module
 */

import process from "node:process";
import type { Fetch } from "../http/client/transport.ts";

/**
 * What the command line reads and writes. Each member has a default of the process.
 *
 * @category Command line
 */
export interface CliIo {
  /** The variables of the environment. Only those that begin with `PARLEY_` and `NO_COLOR` count. */
  env: Readonly<Record<string, string | undefined>>;
  /**
   * Writes results. If it rejects with an error whose `code` is `"EPIPE"`, the reader has gone, and
   * the command ends quietly.
   */
  out: (text: string) => void | Promise<void>;
  /** Writes errors, notes, questions and progress. */
  err: (text: string) => void | Promise<void>;
  /** Returns all of the standard input. */
  readInput: () => Promise<string>;
  /** Asks a question, and returns the answer. `undefined` if there is nobody to ask. */
  ask: ((question: string, signal: AbortSignal) => Promise<string>) | undefined;
  /** The columns of the terminal for `out`. `undefined` if `out` is no terminal. */
  width: number | undefined;
  /** Whether `err` is a terminal, which shows progress. */
  hasProgress: boolean;
  /** Opens an address in the browser. */
  openBrowser: (url: string) => Promise<void>;
  /** Another `fetch` for `--url`. Default the runtime's. */
  fetch: Fetch | undefined;
  /** Ends the command, with exit code 130. */
  signal: AbortSignal;
}

/** The input and output of the process, and how to let go of it. */
export interface ProcessIo {
  readonly io: CliIo;
  close(): void;
}

/** Takes the input and output of the process. Until it is closed, Ctrl-C aborts its signal. */
export function processIo(): ProcessIo {
  const { stdin, stdout, stderr } = process;
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  // A reader that goes away is told to each writer by its own write.
  const ignore = () => {};
  process.once("SIGINT", interrupt);
  for (const stream of [stdout, stderr]) stream.on("error", ignore);
  return {
    io: {
      env: process.env,
      out: (text) => write(stdout, text),
      // Nobody can be told that there is nobody to tell.
      err: (text) => write(stderr, text).catch(ignore),
      readInput: async () => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of stdin) chunks.push(chunk);
        return await new Blob(chunks as Uint8Array<ArrayBuffer>[]).text();
      },
      ask: stdin.isTTY && stderr.isTTY ? askUser : undefined,
      width: stdout.isTTY ? stdout.columns || 80 : undefined,
      hasProgress: stderr.isTTY === true,
      openBrowser,
      fetch: undefined,
      signal: interruption.signal,
    },
    close() {
      process.off("SIGINT", interrupt);
      for (const stream of [stdout, stderr]) stream.off("error", ignore);
    },
  };
}

function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => stream.write(text, (error) => error ? reject(error) : resolve()));
}

async function askUser(question: string, signal: AbortSignal): Promise<string> {
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // With a terminal, the interface takes Ctrl-C before the process does.
  lines.on("SIGINT", () => process.emit("SIGINT"));
  try {
    return await lines.question(question, { signal });
  } finally {
    lines.close();
  }
}

/** The program of each platform that opens an address. None of them is a shell. */
const OPENERS: Readonly<Record<string, [command: string, ...args: string[]]>> = {
  darwin: ["open"],
  // What `start` does, without a shell that would read the address.
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

async function openBrowser(url: string): Promise<void> {
  const { spawn } = await import("node:child_process");
  const [command, ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  await new Promise<void>((resolve, reject) => {
    const child = spawn(command, [...args, url], { stdio: "ignore", detached: true });
    child.once("error", reject);
    child.once("spawn", () => {
      child.unref();
      resolve();
    });
  });
}
