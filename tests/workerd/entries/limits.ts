/**
 * A worker whose time goes by faster, and whose invocations can be told apart by what they fetch.
 *
 * @module
 */

import type { Driver } from "@parley/parley/driver";
import { type Clock, systemClock } from "../../../core/time/clock.ts";
import { openNeon } from "../../../drivers/neon/driver.ts";
import { openUpstash } from "../../../drivers/upstash/driver.ts";
import { UPSTASH_TIMING } from "../../../drivers/upstash/transport/push.ts";
import { Parley, workflow } from "@parley/parley";
import { bearer, httpWake, parleyHttp } from "@parley/parley/http";
import type { ExecutionContext } from "./platform.ts";

/** What the test sets. */
export interface Env {
  /** Where the store is: the URL of one, and what else it needs. */
  readonly NEON?: string;
  readonly CONNECTION_STRING?: string;
  readonly SCHEMA?: string;
  readonly UPSTASH?: string;
  readonly TOKEN?: string;
  readonly PREFIX?: string;
  /** How many times faster time goes by. */
  readonly SPEED: string;
  /** `yes`, or the platform is not told what goes on after an answer. */
  readonly WAIT_UNTIL: string;
  /** `maxRequests`; empty for none. */
  readonly MAX_REQUESTS: string;
}

const stepper = workflow("stepper", async (ctx, steps: number) => {
  for (let step = 0; step < steps; step++) await ctx.step(`step ${step}`, () => step);
  return steps;
});
const listener = workflow("listener", async (ctx) => await ctx.recv("news"));

/**
 * Longer than any request takes. Half an hour of the worker's time is a minute or so of the machine's, on which a
 * request takes as long as for others: with the defaults, a busy machine would repeat requests and renew leases.
 */
const UNHURRIED = "30m";

function fast(speed: number): Clock {
  return { now: () => systemClock.now() * speed, after: (ms, run) => systemClock.after(ms / speed, run) };
}

function driverOf(env: Env, at: (url: string) => string, clock: Clock): Driver {
  // As a user has it: what becomes of push in this runtime is for the driver to decide.
  if (env.NEON) {
    return openNeon(env.CONNECTION_STRING!, {
      schema: env.SCHEMA!,
      requestTimeout: UNHURRIED,
      endpoint: { http: at(env.NEON), websocket: "ws://127.0.0.1:1/v2" },
    }, {
      clock,
    }).driver;
  }
  return openUpstash({ url: at(env.UPSTASH!), token: env.TOKEN! }, { prefix: env.PREFIX!, requestTimeout: UNHURRIED }, {
    clock,
    timing: UPSTASH_TIMING,
  })
    .driver;
}

function parleyFor(env: Env, ctx: ExecutionContext): Parley {
  const invocation = crypto.randomUUID();
  const at = (url: string) => url.replace(/^(https?:\/\/[^/]+)/, `$1/-/${invocation}`);
  const clock = fast(Number(env.SPEED));
  return new Parley({
    driver: driverOf(env, at, clock),
    workflows: [stepper, listener],
    ...(env.WAIT_UNTIL === "yes" && { waitUntil: (work: Promise<unknown>) => ctx.waitUntil(work) }),
    wake: httpWake({ url: at("http://worker.test/parley"), token: "t0ken" }),
    hotWait: 0,
    lease: UNHURRIED,
    clock,
    ...(env.MAX_REQUESTS !== "" && { maxRequests: Number(env.MAX_REQUESTS) }),
  });
}

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const url = new URL(request.url);
    // The worker calls itself by a path that names the caller.
    const own = new Request(
      url.origin + url.pathname.replace(/^\/-\/[^/]+\/parley|^\/parley/, "") + url.search,
      request,
    );
    // Five minutes and one minute of its time.
    const maxConnection = 300_000 / Number(env.SPEED);
    const maxWait = 60_000 / Number(env.SPEED);
    const app = parleyHttp({ parley: parleyFor(env, ctx), auth: bearer("t0ken"), maxConnection, maxWait });
    return await app.fetch(own, env, ctx);
  },
  async scheduled(_event: unknown, env: Env, ctx: ExecutionContext): Promise<void> {
    await parleyFor(env, ctx).sweep({ limit: 5 });
  },
};
