/**
 * The commands of a page of the documentation, with what they print there.
 *
 * @module
 */

import { read, withDirectory } from "../../project/files.ts";
import { DENO_PROGRAM, inherited } from "./process.ts";
import type { Shop } from "./server.ts";

/** A command, as it stands in a page. */
export interface Shown {
  readonly command: string;
  readonly output: string;
}

/** The commands of the blocks named `console`: lines that begin with `$`, each before its output. */
export function commandsOf(path: string): Shown[] {
  const blocks = [...read(path).matchAll(/^```console\n([^]*?)^```$/gm)].map(([, text = ""]) => text);
  return blocks.flatMap((block) =>
    block.split(/^\$ /m).slice(1).map((text) => {
      const [command = "", ...lines] = text.split("\n");
      return { command, output: lines.join("\n") };
    })
  );
}

/** What a command has printed, on both outputs. */
export interface Tried extends Shown {
  readonly code: number;
}

/**
 * Runs the commands in a shell that has the command line as `parley`, set to a server.
 *
 * @param before Called before each command.
 */
export async function tryCommands(
  shop: Shop,
  commands: readonly Shown[],
  before: (command: string) => void = () => {},
): Promise<Tried[]> {
  return await withDirectory(async (directory) => {
    const script = `#!/bin/sh\nexec ${DENO_PROGRAM.map((word) => `'${word}'`).join(" ")} "$@"\n`;
    await Deno.writeTextFile(`${directory}/parley`, script);
    await Deno.chmod(`${directory}/parley`, 0o755);
    const env = { ...inherited(), ...shop.env, PATH: `${directory}:${Deno.env.get("PATH")}` };
    const tried: Tried[] = [];
    for (const { command } of commands) {
      before(command);
      const shell = new Deno.Command("/bin/sh", {
        args: ["-c", `${command} 2>&1`],
        clearEnv: true,
        env,
        stdin: "null",
      });
      const { code, stdout } = await shell.output();
      await shop.parley.idle();
      tried.push({ command, code, output: new TextDecoder().decode(stdout) });
    }
    return tried;
  });
}

/** Replaces what differs from run to run: times, the server's address and the widths of columns. */
export function normalised({ url }: Shop, output: string): string {
  return output.replaceAll(url, "https://example.com/parley")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, "TIME")
    .replaceAll(/\b\d+(ms|s|m|h|d)\b/g, "AGE")
    .replaceAll(/ +/g, " ");
}
