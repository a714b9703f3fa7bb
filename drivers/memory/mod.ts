/**
 * The reference driver. It keeps everything in the memory of this process, fenced and timed exactly
 * as in a database.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/time/clock.ts";
import type { Driver } from "../../core/driver/driver.ts";
import { claim } from "./claim.ts";
import { commit } from "./commit.ts";
import { sendAll } from "./inbox.ts";
import { control, create, deleteWorkflow, purge } from "./lifecycle.ts";
import { listEvents, listMessages, listStreams, readHistory } from "./look.ts";
import { listWorkflows, readEvent, readJournal, readStream, readWorkflow } from "./read.ts";
import { MemoryStore } from "./store.ts";

export { MemoryStore } from "./store.ts";

/**
 * A driver over a new, empty store in memory. Its contents are gone when the process ends.
 *
 * @param options `clock`: the store's time, for tests; the runtime's clock otherwise.
 * @returns The driver. It holds no timer and no connection, so there is nothing to close.
 *
 * @example Start without a database
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 *
 * const parley = new Parley({ driver: memoryDriver() });
 * ```
 *
 * @category Time and stores
 */
export function memoryDriver(options: { clock?: Clock } = {}): Driver {
  return memoryDriverOver(memoryStore(options));
}

/** A store for several drivers, as several isolates share one database. */
export function memoryStore({ clock = systemClock }: { clock?: Clock } = {}): MemoryStore {
  return new MemoryStore(clock);
}

/** A driver over a store that exists. */
export function memoryDriverOver(store: MemoryStore): Driver {
  return {
    contract: 1,
    migrate: () => Promise.resolve(),
    create: (request) => atomically(() => create(store, request)),
    claim: (request) => atomically(() => claim(store, request)),
    commit: (request) => atomically(() => commit(store, request)),
    readJournal: (request) => atomically(() => readJournal(store, request)),
    send: (messages) => atomically(() => sendAll(store, messages)),
    readWorkflow: (workflowId, { now } = {}) => atomically(() => readWorkflow(store, workflowId, now)),
    listWorkflows: (query) => atomically(() => listWorkflows(store, query)),
    readEvent: (request) => atomically(() => readEvent(store, request)),
    readStream: (request) => atomically(() => readStream(store, request)),
    readHistory: (query) => atomically(() => readHistory(store, query)),
    listMessages: (query) => atomically(() => listMessages(store, query)),
    listEvents: (query) => atomically(() => listEvents(store, query)),
    listStreams: (query) => atomically(() => listStreams(store, query)),
    control: (request) => atomically(() => control(store, request)),
    delete: (request) => atomically(() => deleteWorkflow(store, request)),
    purge: (request) => atomically(() => purge(store, request)),
    watch: (workflowId, hint) => store.hints.watch(workflowId, hint),
  };
}

/**
 * Runs a call at once and to its end. Nothing else runs in between, so the call is atomic. A thrown
 * error becomes a rejection.
 */
function atomically<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => resolve(run()));
}
