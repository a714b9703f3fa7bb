/**
 * The adapter as a process of its own, for tests that kill it. It needs only `--allow-net
 * --allow-env`.
 *
 * @module
 */

import { Hono } from "hono";
import { type Duration, Parley } from "../../../mod.ts";
import { anyOf, bearer, parleyHttp, scopedTokens, standardWebhooks, webhook } from "../../../http/mod.ts";
import { neonDriver } from "../../../drivers/neon/mod.ts";
import { openUpstash } from "../../../drivers/upstash/driver.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import type { ServerSettings, Store } from "./process.ts";
import { WORKFLOWS } from "./workflows.ts";

function openDriver(store: Store): Driver {
  return store.kind === "neon" ? neonDriver(store.url, store.options) : openUpstash(store, store.options).driver;
}

/** The permissions of this process, so that a test can check them. */
async function permissions(): Promise<Record<string, string>> {
  const names = ["net", "env", "read", "write", "run", "sys", "ffi", "import"] as const;
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, (await Deno.permissions.query({ name })).state])),
  );
}

const { port, token, secret, store, lease }: ServerSettings = JSON.parse(Deno.env.get("SETTINGS")!);
const parley = new Parley({ driver: openDriver(store), workflows: WORKFLOWS, lease: lease as Duration });
const page = `http://127.0.0.1:${port}`;

const app = new Hono();
app.get("/", (c) => c.html("<!DOCTYPE html><title>A page</title>"));
app.get("/permissions", async (c) => c.json(await permissions()));
app.route("/parley", parleyHttp({ parley, auth: anyOf(bearer(token), scopedTokens(secret)), cors: { origin: page } }));
app.post(
  "/webhook",
  webhook({
    parley,
    verify: standardWebhooks(`whsec_${btoa(secret)}`),
    route: ({ workflowId, item }) => ({ workflowId, topic: "item", message: item }),
  }),
);

Deno.serve({ hostname: "127.0.0.1", port, onListen: () => console.log("ready") }, app.fetch);
// Takes over the workflows of the process before this one, once its leases have lapsed.
await parley.work({ signal: new AbortController().signal });
