/**
 * Processes of tests. They end with the test, however it ends.
 *
 * @module
 */

/**
 * A shell that runs a command. When its standard input ends, it kills the command with `SIGKILL`
 * and removes the folder. The input ends when this process closes it or is gone, for whatever
 * reason.
 */
const KEEPER = `
trap '' INT TERM HUP PIPE
"$@" </dev/null 2>&1 &
exec >/dev/null 2>&1
read -r _
kill -KILL $! 2>/dev/null
wait $!
cd /
# Its own processes may write for a moment longer.
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$KEPT_FOLDER" && exit 0; sleep 0.1; done
`;

/** The command. */
export interface KeptOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  /** The text that it prints, on either output, when it is ready. */
  readonly ready: RegExp;
  /** The folder in which it runs, which is removed with it. The default is a new folder. */
  readonly folder?: string;
  /** Whether its later output goes to the errors of the tests. The default is `true`. */
  readonly echo?: boolean;
}

/** A running process. Disposing of it kills it. */
export class KeptProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;
  #rest: Promise<void> = Promise.resolve();
  #killed: Promise<void> | undefined;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /**
   * Starts a process.
   *
   * @returns The process, and the match.
   * @throws {Error} If it ends before it is ready. The message has its output.
   */
  static async start(
    { command, args, env = {}, ready, folder, echo = true }: KeptOptions,
  ): Promise<{ process: KeptProcess; said: RegExpExecArray }> {
    const cwd = folder ?? await Deno.makeTempDir({ prefix: "parley-kept-" });
    const shell = new Deno.Command("sh", {
      args: ["-c", KEEPER, "sh", command, ...args],
      cwd,
      env: { ...env, KEPT_FOLDER: cwd },
      stdin: "piped",
      stdout: "piped",
    });
    const process = new KeptProcess(shell.spawn());
    const printed = { text: "" };
    const said = await process.#until(ready, printed);
    if (!said) {
      await process.kill();
      throw new Error(`${command} ended before it was ready, and printed:\n${printed.text}`);
    }
    process.#rest = process.#drain(echo);
    return { process, said };
  }

  /** Kills it as `kill -9` does, and settles when it is gone. */
  kill(): Promise<void> {
    return this.#killed ??= this.#kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #kill(): Promise<void> {
    await this.#child.stdin.close();
    await this.#rest;
    await this.#output.cancel();
    await this.#child.status;
  }

  async #until(ready: RegExp, printed: { text: string }): Promise<RegExpExecArray | undefined> {
    for (let part = await this.#output.read(); !part.done; part = await this.#output.read()) {
      printed.text += part.value;
      const said = ready.exec(printed.text);
      if (said) return said;
    }
    return undefined;
  }

  async #drain(echo: boolean): Promise<void> {
    for (let part = await this.#output.read(); !part.done; part = await this.#output.read()) {
      if (echo) console.error(part.value.trimEnd());
    }
  }
}
