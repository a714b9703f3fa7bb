/**
 * A worker whose store is a PostgreSQL behind Hyperdrive, or a Neon for comparison.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import type { Driver } from "@parley/parley/driver";
import { Parley, workflow } from "@parley/parley";
import { bearer, httpWake, parleyHttp } from "@parley/parley/http";
import { neonDriver } from "@parley/parley/neon";
import { postgresDriver } from "@parley/parley/postgres";
import { Hono } from "hono";
import type { ExecutionContext, Fetcher, Hyperdrive } from "./platform.ts";

/** What the test sets. */
export interface Env {
  readonly HYPERDRIVE: Hyperdrive;
  readonly SELF: Fetcher;
  readonly SCHEMA: string;
  /** How many connections a pool has. */
  readonly MAX: string;
  /** The URL of a Neon, which is then the store, and a connection string. */
  readonly NEON?: string;
  readonly CONNECTION_STRING?: string;
}

/** Three steps, a message, and two more steps. */
const order = workflow("order", async (ctx) => {
  for (const name of ["a", "b", "c"]) await ctx.step(name, () => name);
  await ctx.setEvent("state", "waiting");
  const message = await ctx.recv("payment");
  for (const name of ["d", "e"]) await ctx.step(name, () => name);
  return message;
});

function poolOf(env: Env): pg.Pool {
  return new pg.Pool({ connectionString: env.HYPERDRIVE.connectionString, max: Number(env.MAX) });
}

function driverOf(env: Env): Driver {
  const { SCHEMA: schema, NEON: http } = env;
  if (http === undefined) return postgresDriver(poolOf(env), { schema });
  return neonDriver(env.CONNECTION_STRING!, { schema, push: false, endpoint: { http } });
}

function parleyFor(env: Env, ctx: ExecutionContext): Parley {
  return new Parley({
    driver: driverOf(env),
    workflows: [order],
    waitUntil: (work) => ctx.waitUntil(work),
    wake: httpWake({
      url: "https://self/parley",
      token: "t0ken",
      fetch: (url, init) => env.SELF.fetch(url, init),
    }),
    hotWait: 0,
    budget: "20s",
  });
}

/** What goes wrong, and what is said then. */
const TROUBLE: Record<string, (env: Env) => Promise<unknown>> = {
  /** Makes a driver for all requests, as one must not. */
  shared: async (env) => await (shared ??= postgresDriver(poolOf(env), { requestTimeout: "500ms" })).readWorkflow("w"),
  /** Ends the client before its last use. */
  closed: async (env) => {
    const pool = poolOf(env);
    await pool.end();
    return await postgresDriver(pool).readWorkflow("w");
  },
  closedClient: async ({ HYPERDRIVE: { connectionString } }) => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    await client.end();
    return await postgresDriver(client).readWorkflow("w");
  },
  /** Listens, as Hyperdrive does not let it. */
  listen: (env) => Promise.resolve(postgresDriver(poolOf(env), { listen: true })),
  /** Loses an idle connection, and nobody listens for errors of the pool. */
  lost: async (env) => {
    const [pool, other] = [poolOf(env), poolOf(env)];
    const { rows: [{ pid }] } = await pool.query("select pg_backend_pid() as pid");
    await other.query("select pg_terminate_backend($1)", [pid]);
    const driver = postgresDriver(pool, { schema: env.SCHEMA });
    while (true) {
      try {
        return await driver.readWorkflow("w");
      } catch {
        // The pool has not noticed yet.
      }
    }
  },
};
let shared: Driver | undefined;

const adapter = parleyHttp({ parley: (c) => parleyFor(c.env as Env, c.executionCtx), auth: bearer("t0ken") });
const app = new Hono<{ Bindings: Env }>().route("/parley", adapter).get("/trouble/:name", async (c) => {
  try {
    return c.json({ answer: await TROUBLE[c.req.param("name")]!(c.env) ?? null });
  } catch (error) {
    return c.json({ ...error as object, name: (error as Error).name, message: (error as Error).message });
  }
});

export default {
  fetch: app.fetch,
  async scheduled(_event: unknown, env: Env, ctx: ExecutionContext): Promise<void> {
    await parleyFor(env, ctx).sweep({ limit: 4 });
  },
};
