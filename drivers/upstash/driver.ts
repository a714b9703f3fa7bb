/**
 * The driver with everything that tests set and users do not.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/time/clock.ts";
import type { Driver } from "../../core/driver/driver.ts";
import { type Duration, toMilliseconds } from "../../core/values/checks.ts";
import { ValidationError } from "../../core/errors.ts";
import type { PushTiming } from "../push.ts";
import { claim } from "./calls/claim.ts";
import { commit } from "./calls/commit.ts";
import { control, create, send } from "./calls/lifecycle.ts";
import { purge } from "./calls/purge.ts";
import { listWorkflows, readEvent, readJournal, readStream, readWorkflow } from "./calls/read.ts";
import { Keys } from "./keys.ts";
import { ScriptCalls } from "./script_calls.ts";
import { LIMITS } from "./sizes.ts";
import { openPush, type Push, TIMING } from "./transport/push.ts";
import { openTransport } from "./transport/open.ts";
import type { UpstashCredentials } from "./transport/transport.ts";
import type { UpstashRedis } from "./transport/instance.ts";

/** Options of `upstashDriver`. */
export interface UpstashDriverOptions {
  /**
   * What all keys begin with, and the channel of hints: 1 to 64 of the characters `A-Z a-z 0-9 : _ . -`. Default `"parley"`. Drivers with different
   * prefixes do not see each other's workflows.
   */
  prefix?: string;
  /** Whether Redis tells of changes, with `SUBSCRIBE` over server-sent events, while somebody waits. Default `true`. */
  push?: boolean;
  /** How long a workflow stays after it has ended, with all that is its own. Default: until it is purged. */
  retention?: Duration;
  /** How long a request may take until its whole answer is here, 1 ms or more. Default `"10s"`. */
  requestTimeout?: Duration;
}

/** What tests set. */
export interface UpstashInternals {
  readonly clock?: Clock;
  readonly timing?: PushTiming;
  /** See `MAX_COLLECTION_BYTES`. */
  readonly maxBytes?: number;
}

/** The driver and its push, which is `null` where it is off. */
export function openUpstash(
  redis: UpstashRedis | UpstashCredentials,
  { prefix = "parley", push: wanted = true, retention, requestTimeout = "10s" }: UpstashDriverOptions = {},
  { clock = systemClock, timing = TIMING, maxBytes }: UpstashInternals = {},
): { driver: Driver; push: Push | null } {
  const keys = new Keys(prefix);
  const timeoutMs = atLeastOne(requestTimeout, "requestTimeout");
  const retentionMs = retention === undefined ? undefined : atLeastOne(retention, "retention");
  const transport = openTransport(redis, { timeoutMs, clock });
  const driver = scriptDriver(
    new ScriptCalls({ send: transport.send, keys, retention: retentionMs, maxBytes, report: say }),
  );
  if (!wanted) return { driver, push: null };
  const push = openPush({ transport, channel: keys.channel, timeoutMs, clock, timing, report: say });
  return { driver: { ...driver, watch: (target, hint) => push.watch(target, hint) }, push };
}

function atLeastOne(duration: Duration, what: string): number {
  const ms = toMilliseconds(duration, what);
  if (ms > 0) return ms;
  throw new ValidationError(`Reading the ${what} ${duration}: it must be 1 ms or more`);
}

/** All of the contract but `watch`. */
export function scriptDriver(calls: ScriptCalls): Omit<Driver, "watch"> {
  return {
    contract: 1,
    limits: LIMITS,
    // There is nothing to create: what is not there is empty.
    migrate: () => Promise.resolve(),
    create: (request) => create(calls, request),
    claim: (request) => claim(calls, request),
    commit: (request) => commit(calls, request),
    readJournal: (request) => readJournal(calls, request),
    send: (messages) => send(calls, messages),
    readWorkflow: (workflowId) => readWorkflow(calls, workflowId),
    listWorkflows: (query) => listWorkflows(calls, query),
    readEvent: (request) => readEvent(calls, request),
    readStream: (request) => readStream(calls, request),
    control: (request) => control(calls, request),
    purge: (request) => purge(calls, request),
  };
}

/** Tells the owner of something that the driver can do without. */
function say(problem: string): void {
  console.warn(`Parley on Upstash: ${problem}`);
}
