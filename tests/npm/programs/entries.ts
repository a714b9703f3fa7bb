/**
 * A user's module that imports every entry point, and uses the adapter and the client.
 *
 * @module
 */

import { memoryDriver, Parley, workflow } from "@parley/parley";
import { followLive } from "@parley/parley/browser";
import { connect } from "@parley/parley/client";
import { conformance } from "@parley/parley/conformance";
import { dbosClient } from "@parley/parley/dbos";
import type { Driver } from "@parley/parley/driver";
import { bearer, parleyHttp } from "@parley/parley/http";
import { neonDriver } from "@parley/parley/neon";
import { otel } from "@parley/parley/otel";
import { postgresDriver } from "@parley/parley/postgres";
import { ManualClock } from "@parley/parley/testing";
import { upstashDriver } from "@parley/parley/upstash";
import { Hono } from "hono";

const drivers: Driver[] = [
  memoryDriver({ clock: new ManualClock() }),
  neonDriver("postgres://user:password@host.test/db"),
  postgresDriver({ query: () => Promise.resolve({ rows: [] }) }),
  upstashDriver({ url: "https://host.test", token: "token" }),
];
const greet = workflow("greet", async (ctx, name: string) => await ctx.step("compose", () => `Hello, ${name}`));
const parley = new Parley({ driver: memoryDriver(), workflows: [greet], observer: otel() });
const app = new Hono();
app.route("/parley", parleyHttp({ parley, auth: bearer("s3cret") }));
const client = connect({
  url: "https://host.test/parley",
  token: "s3cret",
  fetch: async (url, init) => await app.request(url, init),
});
if (dbosClient("postgres://user:password@host.test/db").handle("w").workflowId !== "w") throw new Error("No handle");
if (typeof followLive !== "function") throw new Error("There is no followLive");
const handle = await client.start(greet, "Ada");
console.log(drivers.length, typeof conformance, await handle.result());
await parley.close();
