/**
 * The driver with everything that tests set and users do not.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/clock.ts";
import type { Driver } from "../../core/driver.ts";
import { type Duration, toMilliseconds } from "../../core/duration.ts";
import { ValidationError } from "../../core/errors.ts";
import type { PushTiming } from "../push.ts";
import { control, create, send } from "./calls/lifecycle.ts";
import { purge } from "./calls/purge.ts";
import { listWorkflows, readEvent, readJournal, readStream, readWorkflow } from "./calls/read.ts";
import { claim, commit } from "./calls/run.ts";
import { Client } from "./client.ts";
import { Keys } from "./keys.ts";
import { openPush, type Push, TIMING } from "./push.ts";
import { LIMITS } from "./sizes.ts";
import { openTransport, type UpstashCredentials, type UpstashRedis } from "./transport.ts";

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
}

/** The driver and its push, which is `null` where it is off. */
export function openUpstash(
  redis: UpstashRedis | UpstashCredentials,
  { prefix = "parley", push: wanted = true, retention, requestTimeout = "10s" }: UpstashDriverOptions = {},
  { clock = systemClock, timing = TIMING }: UpstashInternals = {},
): { driver: Driver; push: Push | null } {
  const keys = new Keys(prefix);
  const timeoutMs = atLeastOne(requestTimeout, "requestTimeout");
  const retentionMs = retention === undefined ? undefined : atLeastOne(retention, "retention");
  const transport = openTransport(redis, { timeoutMs, clock });
  const driver = scriptDriver(new Client(transport.send, keys, retentionMs, say));
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
export function scriptDriver(client: Client): Omit<Driver, "watch"> {
  return {
    contract: 1,
    limits: LIMITS,
    // There is nothing to create: what is not there is empty.
    migrate: () => Promise.resolve(),
    create: (request) => create(client, request),
    claim: (request) => claim(client, request),
    commit: (request) => commit(client, request),
    readJournal: (request) => readJournal(client, request),
    send: (messages) => send(client, messages),
    readWorkflow: (workflowId) => readWorkflow(client, workflowId),
    listWorkflows: (query) => listWorkflows(client, query),
    readEvent: (request) => readEvent(client, request),
    readStream: (request) => readStream(client, request),
    control: (request) => control(client, request),
    purge: (request) => purge(client, request),
  };
}

/** Tells the owner of something that the driver can do without. */
function say(problem: string): void {
  console.warn(`Parley on Upstash: ${problem}`);
}
