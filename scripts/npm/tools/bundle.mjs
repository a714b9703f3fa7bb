// Bundles the entry points. The working directory has the packages of package.json; the argument is
// JSON with the root of the sources, the entry points by name, and the folder for the output.

import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";

const { root, entry, outDir } = JSON.parse(process.argv[2]);

await build({
  config: false,
  tsconfig: false,
  cwd: root,
  entry,
  outDir,
  format: "esm",
  platform: "neutral",
  // Node 20 has all of ES2022, but neither `using` nor `await using`.
  target: "es2022",
  // The packages stay imports, so that an application has each of them once. What rolldown brings for
  // older targets is bundled: a name that begins with a zero byte, or `@oxc-project/`. So is
  // eventsource-parser, because npm would warn everyone with Node 20: it asks for Node 22, and runs in 20.
  deps: { neverBundle: [/^(?![./\0]|[a-z]+:\/|@oxc-project\/|eventsource-parser$)/] },
  alias: { "eventsource-parser": fileURLToPath(import.meta.resolve("eventsource-parser")) },
  outExtensions: () => ({ js: ".js", dts: ".d.ts" }),
  dts: {
    generator: "tsc",
    compilerOptions: {
      strict: true,
      exactOptionalPropertyTypes: true,
      allowImportingTsExtensions: true,
      lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
      types: [],
    },
  },
  sourcemap: false,
  report: false,
  logLevel: "warn",
  // Without paths in comments, two builds of the same sources are equal.
  inputOptions: { checks: { pluginTimings: false }, experimental: { attachDebugInfo: "none" } },
});
