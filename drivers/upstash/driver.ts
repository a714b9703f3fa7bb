/**
 * The driver, with settings that only tests use.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/time/clock.ts";
import type { ControlRequest, ControlResult, Driver, WorkflowRecord } from "../../core/driver/driver.ts";
import { type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import { DriverError } from "../../core/errors.ts";
import type { PushConnection, PushTiming } from "../push.ts";
import { claim } from "./calls/claim.ts";
import { commit } from "./calls/commit.ts";
import { listWorkflows } from "./calls/list.ts";
import { looks } from "./calls/look.ts";
import { Keys } from "./keys.ts";
import { ScriptCalls, toJournal } from "./script_calls.ts";
import { UPSTASH_TIMING, upstashPush } from "./transport/push.ts";
import { openTransport } from "./transport/open_transport.ts";
import type { UpstashCredentials } from "./transport/transport.ts";
import type { UpstashRedis } from "./transport/instance.ts";

/**
 * Options of `upstashDriver`.
 *
 * @category Driver
 */
export interface UpstashDriverOptions {
  /**
   * All keys and the channel of hints begin with this: 1 to 64 of the characters `A-Z a-z 0-9 : _ .
   * -`. Default `"parley"`. Drivers with different prefixes do not see each other's workflows.
   */
  prefix?: string;
  /**
   * Whether to subscribe to changes, with `SUBSCRIBE` over server-sent events, while anybody waits.
   * Default `true`.
   */
  push?: boolean;
  /**
   * How long a workflow stays after it has ended, with all its data. Default: until it is purged. A
   * workflow that has not ended never expires.
   */
  retention?: Duration;
  /** How long a request may take until its whole answer has arrived, 1 ms or more. Default `"10s"`. */
  requestTimeout?: Duration;
}

/** Settings for tests. */
export interface UpstashInternals {
  readonly clock?: Clock;
  readonly timing?: PushTiming;
  /** See `MAX_COLLECTION_BYTES`. */
  readonly maxBytes?: number;
}

/** The driver, and its push, which is `null` if it is off. */
export function openUpstash(
  redis: UpstashRedis | UpstashCredentials,
  { prefix = "parley", push: wanted = true, retention, requestTimeout = "10s" }: UpstashDriverOptions = {},
  { clock = systemClock, timing = UPSTASH_TIMING, maxBytes }: UpstashInternals = {},
): { driver: Driver; push: PushConnection | null } {
  const keys = new Keys(prefix);
  const timeoutMs = toPositiveMilliseconds(requestTimeout, "requestTimeout");
  const retentionMs = retention === undefined ? undefined : toPositiveMilliseconds(retention, "retention");
  const transport = openTransport(redis, { timeoutMs, clock });
  const report = (problem: string) => console.warn(`Parley on Upstash: ${problem}`);
  const driver = scriptDriver(
    new ScriptCalls({ send: transport.send, keys, retention: retentionMs, maxBytes, report }),
  );
  if (!wanted) return { driver, push: null };
  const push = upstashPush({ transport, channel: keys.channel, timeoutMs, clock, timing, report });
  return { driver: { ...driver, watch: (target, hint) => push.watch(target, hint) }, push };
}

/** All methods of the contract except `watch`. */
export function scriptDriver(calls: ScriptCalls): Omit<Driver, "watch"> {
  const { call, keys } = calls;
  return {
    contract: 1,
    limits: { requestBytes: MAX_VALUES_BYTES, bytesOf: wireBytes },
    // There is nothing to create: a key that does not exist is empty.
    migrate: () => Promise.resolve(),
    create: (request) => call("create", keys.of(request.workflowId), request),
    claim: (request) => claim(calls, request),
    commit: (request) => commit(calls, request),
    readJournal: async (request) => toJournal(await call("readJournal", keys.of(request.workflowId), request)),
    async send(messages) {
      if (messages.length === 0) return { state: "sent", receipts: [], woken: [] };
      const own = messages.flatMap(({ destinationId }) => keys.of(destinationId, "inbox"));
      return await call("send", own, { messages });
    },
    async readWorkflow(workflowId, { counts = false, now } = {}) {
      const request = { workflowIds: [workflowId], values: true, unread: counts, now };
      const own = keys.of(workflowId, "inbox");
      const { workflows } = await call<{ workflows: WorkflowRecord[] }>("readWorkflows", own, request);
      return workflows[0] ?? null;
    },
    ...looks(calls),
    listWorkflows: (query) => listWorkflows(calls, query),
    readEvent: (request) => call("readEvent", keys.of(request.workflowId), request),
    readStream: (request) => call("readStream", keys.of(request.workflowId, "streams"), request),
    control: (request) => control(calls, request),
    delete: (request) => call("delete", keys.ofAll([request.workflowId]), request),
    purge: (request) => purge(calls, request),
  };
}

/** How many children one request keeps. */
const MAX_KEPT = 100;

/**
 * The children of a workflow may have begun to expire at its end. After a resume, further requests
 * undo that, because only they can declare the children's keys. If one fails, the call fails, and a
 * repeat sends all of them again.
 */
async function control(calls: ScriptCalls, request: ControlRequest): Promise<ControlResult> {
  const { call, keys } = calls;
  let answer: ControlAnswer = { state: "changed" };
  for (let looks = 0; answer.state === "changed"; looks++) {
    if (looks === MAX_LOOKS) {
      throw new DriverError("Upstash: control found new children in each look", { retryable: true });
    }
    const family = request.action === "cancel" && request.children ? await readFamily(calls, request.workflowId) : [];
    const ids = new Set([request.workflowId, ...family.map(({ id }) => id)]);
    answer = await call<ControlAnswer>("control", keys.ofAll([...ids]), { ...request, family });
  }
  const { started = [], ...result } = answer;
  for (let from = 0; from < started.length; from += MAX_KEPT) {
    const workflowIds = started.slice(from, from + MAX_KEPT);
    await call("keep", keys.ofAll(workflowIds), { workflowIds });
  }
  return result;
}

/** The answer to a control. `changed`: a workflow of the family has started another one meanwhile. */
type ControlAnswer = (ControlResult | { state: "changed" }) & { started?: string[] };

/** A workflow with its number of entries, which shows whether it has started more since it was read. */
interface Relative {
  readonly id: string;
  readonly entries: number;
}

/** The workflow and those that it has started, those that they have started, and so on, in this order. */
async function readFamily({ call, keys }: ScriptCalls, workflowId: string): Promise<Relative[]> {
  const ids = new Set([workflowId]);
  const family: Relative[] = [];
  for (let level = [workflowId]; level.length > 0;) {
    const below: string[] = [];
    for (let from = 0; from < level.length; from += MAX_KEPT) {
      const workflowIds = level.slice(from, from + MAX_KEPT);
      const own = workflowIds.flatMap((id) => keys.of(id));
      const { found } = await call<{ found: (Relative & { started: string[] })[] }>("family", own, { workflowIds });
      family.push(...found.map(({ id, entries }) => ({ id, entries })));
      below.push(...found.flatMap(({ started }) => started));
    }
    level = [...new Set(below)].filter((id) => !ids.has(id));
    for (const id of level) ids.add(id);
  }
  return family;
}

/** How many workflows one request removes. */
const MAX_REMOVED = 250;

/** How often a purge looks, if other purges remove the workflows that it finds. */
const MAX_LOOKS = 10;

/** Looks which workflows it may remove, then removes them. */
async function purge(
  { call, keys }: ScriptCalls,
  { olderThanMs, limit }: Parameters<Driver["purge"]>[0],
): Promise<{ purged: number }> {
  let purged = 0;
  for (let looks = 0; looks < MAX_LOOKS && purged < limit;) {
    const look = { olderThanMs: Math.floor(olderThanMs), limit: limit - purged };
    const { places: found } = await call<{ places: string[] }>("purgePeek", [], look);
    let kept = 0;
    for (let from = 0; from < found.length; from += MAX_REMOVED) {
      const places = found.slice(from, from + MAX_REMOVED);
      const removed = await call<{ purged: number; kept: number }>("purge", keys.ofPlaces(places), { places });
      purged += removed.purged;
      kept += removed.kept;
    }
    if (found.length < look.limit) break;
    // Children that their parents may still ask for were kept, and are out of the way from now on.
    if (kept === 0) looks += 1;
  }
  return { purged };
}

/** Upstash takes 10 MB a request. The rest is for keys and for the document. */
const MAX_VALUES_BYTES = 8_000_000;

/** The bytes of a value in a request, as a text in JSON and in UTF-8, without the quotes around it. */
export function wireBytes(text: string): number {
  return new TextEncoder().encode(JSON.stringify(text)).length - 2;
}
