/**
 * `deno task inspector`: writes `http/inspector/page.ts` from the sources in `http/inspector/page/`.
 *
 * The page is a text in a module, because a Worker has no files. The text depends on the version of
 * the bundler, so a test compares a digest of the sources and not the text.
 *
 * @module
 */

import { deno, ROOT } from "./deno.ts";

/** Where the page is committed, from the root. */
export const PAGE_FILE = "http/inspector/page.ts";

const SOURCES = "http/inspector/page/";

/** What the scripts of the page import from elsewhere. Types are left out of the bundle. */
const IMPORTED = ["http/segment.ts", "core/time/clock.ts"];

/** A digest of everything that the page is made from. */
export async function digestOfSources(): Promise<string> {
  const names = await Array.fromAsync(Deno.readDir(new URL(SOURCES, ROOT)), ({ name }) => `${SOURCES}${name}`);
  const texts = await Promise.all([...names.sort(), ...IMPORTED].map(async (name) => `${name}\n${await source(name)}`));
  return await digest(texts.join("\n"));
}

async function source(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(name, ROOT));
}

/** The digest of a text, as a Content-Security-Policy has it. */
export async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

async function bundle(): Promise<string> {
  const output = await Deno.makeTempFile({ suffix: ".js" });
  try {
    const args = ["--platform", "browser", "--minify", "--output", output, `${SOURCES}main.ts`];
    if (await deno(["bundle", "--quiet", ...args]) !== 0) throw new Error("Bundling the inspector failed");
    const script = (await Deno.readTextFile(output)).trim();
    if (/<\/script|<!--/i.test(script)) throw new Error("The script would end its element");
    return script;
  } finally {
    await Deno.remove(output);
  }
}

/** A text in the quotes that the formatter gives it, because HTML has many double ones. */
function singleQuoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** A style sheet without what its reader alone needs. */
function minified(css: string): string {
  return css.replaceAll(/\s+/g, " ").replaceAll(/ ?([{};,>]) ?|\( /g, (it) => it.trim())
    .replaceAll(/([{;][a-z-]+): /g, "$1:").replaceAll(" )", ")").replaceAll(";}", "}").trim();
}

/** Makes the text of `page.ts`. */
async function pageModule(): Promise<string> {
  const script = await bundle();
  const style = minified(await source(`${SOURCES}page.css`));
  // With functions, because `$` has a meaning in a replacement.
  const page = (await source(`${SOURCES}page.html`)).replaceAll(/\n\s*/g, "")
    .replace("<style></style>", () => `<style>${style}</style>`)
    .replace('<script type="module"></script>', () => `<script type="module">${script}</script>`);
  return `/**
 * The page of the inspector. \`deno task inspector\` writes this file from \`page/\`, in which you
 * edit.
 *
 * @module
 */

/** The digest of the sources. */
export const SOURCES_DIGEST = ${JSON.stringify(await digestOfSources())};

/** What the page's Content-Security-Policy allows to run. */
export const SCRIPT_HASH = ${JSON.stringify(`sha256-${await digest(script)}`)};

/** What the page's Content-Security-Policy allows as style. */
export const STYLE_HASH = ${JSON.stringify(`sha256-${await digest(style)}`)};

/** The page. */
export const PAGE =
  ${singleQuoted(page)};
`;
}

if (import.meta.main) await Deno.writeTextFile(new URL(PAGE_FILE, ROOT), await pageModule());
