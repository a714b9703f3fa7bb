/**
 * The bytes that a Worker has to load: bundles for the edge, minified and gzipped.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { deno, LOCK } from "./deno.ts";

/**
 * A bundle, and the maximum of its gzipped bytes: slightly more than it had when the bound was last
 * set.
 */
export interface Bundle {
  name: string;
  code: string;
  /** Packages that are left out. */
  external?: string[];
  limit: number;
}

const CORE = `export { event, Parley, stream, topic, workflow } from "@parley/parley";`;

/** Combinations of entry points, as users import them. */
export const BUNDLES: readonly Bundle[] = [
  { name: "core, without its serialiser", code: CORE, external: ["devalue"], limit: 35_400 },
  { name: "core", code: CORE, limit: 39_000 },
  { name: "core + SQLite", code: `${CORE} export { sqliteDriver } from "@parley/parley/sqlite";`, limit: 54_200 },
  {
    name: "core + Durable Object",
    code: `${CORE} export * from "@parley/parley/durable-object";`,
    external: ["cloudflare:workers"],
    limit: 57_000,
  },
  { name: "core + Neon", code: `${CORE} export { neonDriver } from "@parley/parley/neon";`, limit: 122_000 },
  {
    name: "core + Upstash + HTTP",
    code: `${CORE} export { upstashDriver } from "@parley/parley/upstash"; export * from "@parley/parley/http";`,
    limit: 116_200,
  },
  {
    name: "dbos, without Neon's WebSocket",
    code: `export { dbosClient } from "@parley/parley/dbos";`,
    external: ["@neondatabase/serverless"],
    limit: 35_000,
  },
  { name: "otel", code: `export { otel } from "@parley/parley/otel";`, limit: 3_100 },
  { name: "client", code: `export { connect } from "@parley/parley/client";`, limit: 16_900 },
  { name: "browser", code: `export { followLive } from "@parley/parley/browser";`, limit: 960 },
];

/** Bundles for workerd, which has the APIs of browsers, and counts the bytes. */
export async function sizeOf({ code, external = [] }: Bundle): Promise<{ bytes: number; gzipped: number }> {
  const directory = await Deno.makeTempDir();
  try {
    const [entry, output] = [`${directory}/entry.ts`, `${directory}/bundle.js`];
    await Deno.writeTextFile(entry, code);
    const options = [
      "--config",
      "deno.json",
      "--platform",
      "browser",
      "--minify",
      ...external.flatMap((it) => ["--external", it]),
    ];
    if (await deno(["bundle", "--quiet", LOCK, ...options, "--output", output, entry]) !== 0) {
      throw new Error(`Bundling ${code} failed`);
    }
    const bundle = await Deno.readFile(output);
    // About 40 bytes larger than `gzip -9` makes it. At 9, Deno's own implementation makes it
    // larger still.
    return { bytes: bundle.length, gzipped: gzipSync(bundle, { level: 8 }).length };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) {
  for (const bundle of BUNDLES) {
    const { bytes, gzipped } = await sizeOf(bundle);
    const kB = (size: number) => `${(size / 1_000).toFixed(1)} kB`;
    console.log(`${bundle.name.padEnd(30)} ${kB(gzipped).padStart(9)} gzipped ${kB(bytes).padStart(9)} minified`);
  }
}
