/**
 * The `package.json` of the npm package, made from `deno.json` and `imports.json`.
 *
 * @module
 */

/** What `deno.json` says about the package. */
export interface PackageConfig {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
}

/** What a manifest is made of. */
export interface ManifestParts {
  readonly config: PackageConfig;
  /** The import map: a specifier of npm by the name of each package. */
  readonly imports: Readonly<Record<string, string>>;
  /** The names of the packages that the built files import. */
  readonly imported: Iterable<string>;
  /** The URL of the repository, which provenance needs. */
  readonly repository: string | undefined;
}

/**
 * Packages that a user chooses and installs, with the versions that work. An application that does
 * not import the entry point needs none of them.
 */
const PEERS: Readonly<Record<string, string>> = {
  "@neondatabase/serverless": "^1.0.0",
  "hono": "^4.0.0",
  "pg": "^8.0.0",
};

/** The oldest version of Node that the tests run. */
const NODE = ">=20";

const KEYWORDS = [
  "durable",
  "workflow",
  "workflows",
  "messages",
  "events",
  "streams",
  "edge",
  "serverless",
  "postgres",
  "redis",
];

/** The name of the files of an entry point, without their endings. */
export function fileOf(entry: string): string {
  return entry === "." ? "index" : entry.slice(2);
}

/** The package's name in a specifier such as `hono/cors`. */
export function packageOf(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

/** Makes the manifest. It throws if the files import a package that the import map does not have. */
export function manifest({ config, imports, imported, repository }: ManifestParts): Record<string, unknown> {
  const { name, version, description, license } = config;
  const packages = [...new Set(imported)].toSorted();
  const peers = packages.filter((it) => it in PEERS);
  const dependencies = packages.filter((it) => !(it in PEERS));
  const entries = Object.keys(config.exports).map((entry) => [
    entry,
    { types: `./${fileOf(entry)}.d.ts`, default: `./${fileOf(entry)}.js` },
  ]);
  return {
    name,
    version,
    description,
    keywords: KEYWORDS,
    license,
    ...(repository && { repository: { type: "git", url: `git+${repository}.git` }, homepage: `${repository}#readme` }),
    type: "module",
    sideEffects: false,
    engines: { node: NODE },
    exports: { ...Object.fromEntries(entries), "./package.json": "./package.json" },
    ...("./cli" in config.exports && { bin: { [name.split("/").at(-1)!]: `./${BIN}` } }),
    dependencies: Object.fromEntries(dependencies.map((it) => [it, rangeOf(imports, it)])),
    peerDependencies: Object.fromEntries(peers.map((it) => [it, PEERS[it]])),
    peerDependenciesMeta: Object.fromEntries(peers.map((it) => [it, { optional: true }])),
    publishConfig: { access: "public", provenance: true },
  };
}

/** The program of the package, if it has one. */
export const BIN = "bin.js";

function rangeOf(imports: Readonly<Record<string, string>>, name: string): string {
  const prefix = `npm:${name}@`;
  const specifier = imports[name];
  if (!specifier?.startsWith(prefix)) throw new Error(`The package imports ${name}, which imports.json does not have`);
  return specifier.slice(prefix.length);
}
