/**
 * A server of workflows for the command line, and the command line set to it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { bearer, parleyHttp } from "../../../http/mod.ts";
import type { Auth } from "../../../http/mod.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import { memoryDriver, Parley, topic, type Workflow, workflow } from "../../../mod.ts";
import { type Program, type Ran, run } from "./process.ts";

/** The token of the servers. It is in nothing that a server stores. */
export const TOKEN = "t0ken-of-the-server";

/** A shop whose bank is closed at first. */
export interface Shop extends AsyncDisposable {
  readonly url: string;
  readonly parley: Parley;
  /** The variables that set the command line to this server. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on, charges work. */
  openBank(): void;
  /** Runs the command line to its end, and settles when no workflow runs any more. */
  cli(...args: string[]): Promise<Ran>;
  /** Does the same, checks that it succeeds without a note, and returns what it has printed as JSON. */
  // deno-lint-ignore no-explicit-any
  json(...args: string[]): Promise<any>;
}

/** Options of {@linkcode openShop}. */
export interface ShopOptions {
  readonly driver?: Driver;
  readonly auth?: Auth;
  readonly program?: Program;
  /** Whether an order only receives and charges, as in `docs/operate.md`. */
  readonly isPlain?: boolean;
}

/** Starts a server. */
export async function openShop(
  { driver = memoryDriver(), auth = bearer(TOKEN), program, isPlain = false }: ShopOptions = {},
): Promise<Shop> {
  let isOpen = false;
  const workflows = makeWorkflows(() => isOpen, isPlain);
  const parley = new Parley({ driver, workflows, hotWait: 0, onError: () => {} });
  const app = parleyHttp({ parley, auth, onError: () => {} });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  const url = `http://127.0.0.1:${server.addr.port}`;
  const env = { PARLEY_URL: url, PARLEY_TOKEN: TOKEN };
  const cli = async (...args: string[]) => {
    const ran = await run(args, { env, ...(program && { program }) });
    await parley.idle();
    return ran;
  };
  return await Promise.resolve({
    url,
    parley,
    env,
    openBank: () => void (isOpen = true),
    cli,
    json: async (...args: string[]) => {
      const { code, stdout, stderr } = await cli(...args, "--json");
      assert.deepEqual([code, stderr], [0, ""]);
      return JSON.parse(stdout);
    },
    [Symbol.asyncDispose]: async () => {
      await server.shutdown();
      await parley[Symbol.asyncDispose]();
    },
  });
}

/** The workflows of the shop. */
export function makeWorkflows(isBankOpen: () => boolean, isPlain = false): Workflow<unknown, unknown>[] {
  const paid = topic<{ amount: number }>("payment");
  const order = workflow("order", async (ctx, _item: unknown) => {
    if (!isPlain) await ctx.setEvent("payment-url", "https://pay.example/7");
    const { amount } = await ctx.recv(paid);
    await ctx.step("charge", () => {
      if (!isBankOpen()) throw new Error("the bank is closed");
    });
    return `${amount} charged`;
  });
  const log = workflow("log", async (ctx, lines: unknown[]) => {
    for (const line of lines) await ctx.writeStream("log", line);
    await ctx.recv("end");
  });
  const parent = workflow("parent", async (ctx) => {
    const child = await ctx.start(order, null, { workflowId: "child" });
    return await child.result();
  });
  return [order, log, parent];
}
