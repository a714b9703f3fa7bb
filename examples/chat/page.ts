/**
 * The page, whose script is bundled when somebody first asks for it.
 *
 * @module
 */

/** The page. */
export const html: string = await Deno.readTextFile(new URL("page/page.html", import.meta.url));

let bundled: Promise<string> | undefined;

/** The script of the page, with the packages that it imports. */
export function script(): Promise<string> {
  return bundled ??= bundle();
}

async function bundle(): Promise<string> {
  const entry = new URL("page/main.ts", import.meta.url);
  const args = ["bundle", "--quiet", "--platform", "browser", "--minify", entry.pathname];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (code !== 0) {
    throw new Error(`Bundling the page: ${new TextDecoder().decode(stderr)}`);
  }
  return new TextDecoder().decode(stdout);
}
