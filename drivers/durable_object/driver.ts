/**
 * The Worker's side: the driver that calls objects.
 *
 * @module
 */

import type { Driver, Watch, WatchTarget } from "../../core/driver/driver.ts";
import { ValidationError } from "../../core/errors.ts";
import { type Clock, systemClock } from "../../core/time/clock.ts";
import type { PushConnection, PushTiming } from "../push.ts";
import { callError, failureError } from "./failure.ts";
import { bytesOf, MAX_VALUES_BYTES } from "./limits.ts";
import type { ObjectNamespace } from "./platform.ts";
import type { ObjectAnswer, ObjectCall, ObjectStub } from "./protocol.ts";
import { OBJECT_TIMING, objectPush } from "./push.ts";
import { type CallObject, Shards } from "./shards.ts";

/**
 * Options of {@linkcode durableObjectDriver}.
 *
 * @category Driver
 */
export interface DurableObjectDriverOptions {
  /** The name of the object that holds the store. Default `"parley"`, or none with `shard`. */
  name?: string;
  /**
   * Spreads workflows over several objects: returns the name of the object that has a workflow, by
   * its ID, and always the same one. Default: all are in one object.
   *
   * Each object is a store of its own. `sendAll` must have one object. So must a workflow, the ones
   * it starts, the ones it sends to and the ones it waits for. Everything else is refused with
   * `ValidationError`. `list`, `purge`, `sweep` and `work` concern the object `name` alone.
   */
  shard?: (workflowId: string) => string;
  /** Where to create a new object, such as `"weur"`. Default: near its first call. */
  locationHint?: string;
  /** Whether to open a socket to the object while anybody waits. Default `true`. Without it, waits poll. */
  push?: boolean;
}

/** Settings for tests. */
export interface DurableObjectInternals {
  readonly clock?: Clock;
  readonly timing?: PushTiming;
}

/** The default of `name`. */
const NAME = "parley";

/** Makes the driver. `pushes` has its connections. */
export function openDurableObject(
  namespace: ObjectNamespace,
  { shard, name = shard ? undefined : NAME, locationHint, push = true }: DurableObjectDriverOptions = {},
  { clock = systemClock, timing = OBJECT_TIMING }: DurableObjectInternals = {},
): { driver: Driver; pushes: ReadonlyMap<WatchTarget, PushConnection> } {
  checkNamespace(namespace);
  if (name !== undefined && (typeof name !== "string" || name === "")) {
    throw new ValidationError("Using a Durable Object: `name` must be a text of at least one character");
  }
  const shards = new Shards({ name, shard });
  // A stub of an object that was reset fails for good, so each call has its own. Making one is free.
  const stubOf = (object: string) =>
    namespace.get(
      namespace.idFromName(object),
      locationHint === undefined ? undefined : { locationHint },
    ) as ObjectStub;
  const call = (async (object: string, method: ObjectCall["method"], ...args: unknown[]) => {
    let answer: ObjectAnswer;
    try {
      answer = await stubOf(object).parley({ object, method, args });
    } catch (error) {
      throw callError(`Durable Object: ${method}`, error);
    }
    if ("failure" in answer) throw failureError(answer.failure);
    return answer.value;
  }) as CallObject & ((object: string, method: ObjectCall["method"], ...args: unknown[]) => Promise<never>);
  const byId = (method: ObjectCall["method"]) => (request: { workflowId: string }) =>
    call(shards.of(request.workflowId), method, request);
  const pushes = new Map<WatchTarget, PushConnection>();
  const watch = (target: WatchTarget, hint: () => void): Watch => {
    const object = shards.ofTarget(target);
    if (object === null) return { live: false, close: () => {} };
    let connection = pushes.get(target);
    if (!connection) pushes.set(target, connection = objectPush({ stub: () => stubOf(object), target, clock, timing }));
    return connection.watch(target, hint);
  };
  const driver: Driver = {
    contract: 1,
    limits: { requestBytes: MAX_VALUES_BYTES, bytesOf },
    migrate: async () => shards.own === null ? undefined : await call(shards.own, "migrate"),
    create: byId("create"),
    claim: (request) => shards.claim(call, request),
    commit: (request) => shards.commit(call, request),
    readJournal: byId("readJournal"),
    send: (messages) => shards.send(call, messages),
    readWorkflow: async (workflowId, ...options) =>
      await call(shards.of(workflowId), "readWorkflow", workflowId, ...options),
    listWorkflows: async (query) => await call(shards.ownFor("Listing workflows"), "listWorkflows", query),
    readHistory: byId("readHistory"),
    listMessages: byId("listMessages"),
    listEvents: byId("listEvents"),
    listStreams: byId("listStreams"),
    readEvent: byId("readEvent"),
    readStream: byId("readStream"),
    control: byId("control"),
    delete: byId("delete"),
    purge: async (request) => await call(shards.ownFor("Purging"), "purge", request),
    ...(push && { watch }),
  };
  return { driver, pushes };
}

/** A stub has an `id`, and answers to every other name. */
function checkNamespace(namespace: unknown): void {
  const isObject = (typeof namespace === "object" || typeof namespace === "function") && namespace !== null;
  const member = (name: string) => isObject ? Reflect.get(namespace, name) : undefined;
  if (member("id") !== undefined) {
    throw new ValidationError(
      "Using a Durable Object: the first parameter is a stub, and must be the namespace, because a stub of an object " +
        "that was reset fails for good",
    );
  }
  if (typeof member("idFromName") === "function" && typeof member("get") === "function") return;
  throw new ValidationError("Using a Durable Object: the first parameter must be a namespace, such as `env.PARLEY`");
}
