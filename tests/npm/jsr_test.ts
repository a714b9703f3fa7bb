/**
 * The package as `deno add` installs it, from a registry on this machine that speaks JSR's protocol.
 *
 * @module
 */

import assert from "node:assert/strict";
import { extname } from "node:path";
import { projectFiles, read, withDirectory } from "../project/files.ts";

interface Settings {
  name: string;
  version: string;
  exports: Record<string, string>;
  publish: { include: string[]; exclude?: string[] };
}

const settings: Settings = JSON.parse(read("deno.json"));
const { imports }: { imports: Record<string, string> } = JSON.parse(read("imports.json"));

/** The story of the README. */
const STORY = /```ts ignore\n([^]*?)```/.exec(read("README.md"))![1]!;

/** The modules of the package. As JSR does, `deno publish` writes the packages of npm into them. */
function modules(): Map<string, string> {
  const { include, exclude = [] } = settings.publish;
  const isPublished = (path: string) =>
    include.some((it) => path === it || path.startsWith(it)) && !exclude.some((it) => path.startsWith(it));
  const paths = projectFiles().filter((path) => extname(path) === ".ts" && isPublished(path));
  return new Map(paths.map((path) => [
    `/${path}`,
    read(path).replaceAll(/((?:from|import) ?\(?)"([@a-z][^":]*)"/g, (all, before, name) => {
      const base = Object.keys(imports).filter((it) => name === it || (it.endsWith("/") && name.startsWith(it)))[0];
      return base === undefined ? all : `${before}"${imports[base]}${name.slice(base.length)}"`;
    }),
  ]));
}

/** Answers as the registry. */
async function answer(files: ReadonlyMap<string, string>, pathname: string): Promise<Response> {
  const { name, version, exports } = settings;
  const path = pathname.slice(`/${name}/`.length);
  if (path === "meta.json") {
    const [scope, short] = name.slice(1).split("/");
    return Response.json({ scope, name: short, latest: version, versions: { [version]: {} } });
  }
  if (path === `${version}_meta.json`) {
    const entries = [...files].map(async ([path, text]) => {
      const bytes = new TextEncoder().encode(text);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      return [path, { size: bytes.length, checksum: `sha256-${digest.toHex()}` }] as const;
    });
    return Response.json({ manifest: Object.fromEntries(await Promise.all(entries)), exports });
  }
  const text = files.get(path.slice(version.length));
  return text === undefined
    ? new Response("Not found", { status: 404 })
    : new Response(text, { headers: { "content-type": "text/typescript" } });
}

Deno.test("deno add of the README installs the package in a clean folder, where the README's story runs", async () => {
  const files = modules();
  await using registry = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => answer(files, new URL(request.url).pathname),
  );
  const [command] = /^deno add \S+/m.exec(read("README.md"))!;
  await withDirectory(async (directory) => {
    const run = async (...args: string[]) => {
      const env = { JSR_URL: `http://127.0.0.1:${registry.addr.port}/`, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: directory, env }).output();
      const decoder = new TextDecoder();
      assert.equal(code, 0, decoder.decode(stderr));
      return decoder.decode(stdout);
    };
    await run(...command.split(" ").slice(1));
    await Deno.writeTextFile(`${directory}/story.ts`, STORY);
    const comments = [...STORY.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, printed]) => `${printed}\n`);
    assert.equal(comments.length, 2);
    assert.equal(
      await run("run", "--check", "--no-prompt", "--allow-read=.", "--allow-write=.", "story.ts"),
      comments.join(""),
    );
  });
});
