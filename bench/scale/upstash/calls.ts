/**
 * Calls of the Upstash driver.
 *
 * @module
 */

import type { Operation } from "../../../core/driver/driver.ts";
import { cancel, enqueued, type MakeCall, message, USED, VALUE } from "../call.ts";
import { LEASE_MS } from "../run.ts";
import { CROWD, type Store } from "./store.ts";

/** A commit of one operation. */
function commit(make: (position: number) => Operation): MakeCall<Store> {
  return ({ commit, next }) => ({ run: () => commit([next(make)]) });
}

async function claim(
  { driver }: Store,
  names: readonly string[],
  workflowIds: readonly string[] | null,
  expected: number,
): Promise<void> {
  const request = { workflowIds, names, except: [], limit: 1, leaseMs: LEASE_MS, owner: crypto.randomUUID() };
  const { claimed } = await driver.claim(request);
  if (claimed.length !== expected) throw new Error(`${claimed.length} of ${names} were claimed`);
}

const PAGE = { problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null };

/** The calls by name. */
export const CALLS: ReadonlyMap<string, MakeCall<Store>> = new Map(Object.entries<MakeCall<Store>>({
  "create": ({ driver }) => ({
    run: (round) => driver.create({ ...enqueued(`new ${round}`, "bench"), leaseMs: LEASE_MS }),
  }),
  "send": ({ driver }) => ({ run: () => driver.send([message(USED)]) }),
  "step": commit((position) => ({ position, label: "step", type: "record", outcome: { tag: "value", value: VALUE } })),
  "recv": ({ driver, commit, next }) => ({
    prepare: () => driver.send([message(USED)]),
    run: () =>
      commit([next((position) => ({ position, label: "recv", type: "receive", topics: ["t"], timeoutMs: null }))]),
  }),
  "setEvent": commit((position) => ({ position, label: "setEvent", type: "setEvent", key: "state", value: VALUE })),
  "writeStream": commit((position) => ({
    position,
    label: "writeStream",
    type: "writeStream",
    key: "long",
    value: VALUE,
  })),
  "claim by ID": (store) => ({
    prepare: (round) => store.driver.create(enqueued(`id ${round}`, "bench")),
    run: (round) => claim(store, ["bench"], [`id ${round}`], 1),
  }),
  "claim behind other due workflows": (store) => ({
    prepare: (round) => store.driver.create(enqueued(`time ${round}`)),
    run: (round) => claim(store, [`time ${round}`], null, 1),
  }),
  "claim of one of many due workflows": (store) => ({
    prepare: (round) => store.driver.create(enqueued(`crowd ${round}`, CROWD)),
    run: () => claim(store, [CROWD], null, 1),
  }),
  "claim with nothing due": (store) => ({ run: () => claim(store, ["none", "neither"], null, 0) }),
  "readWorkflow": ({ driver }) => ({ run: () => driver.readWorkflow(USED) }),
  "readEvent": ({ driver }) => ({ run: () => driver.readEvent({ workflowId: USED, key: "state" }) }),
  "read of 1,000 values": ({ driver }, from) => ({
    run: () => driver.readStream({ workflowId: USED, key: "long", from, limit: 1_000 }),
  }),
  "list of 10": ({ driver }) => ({ run: () => driver.listWorkflows(PAGE) }),
  "list of 10 by name": ({ driver }) => ({ run: () => driver.listWorkflows({ ...PAGE, name: "bench" }) }),
  "list of 10 that failed": ({ driver }) => ({ run: () => driver.listWorkflows({ ...PAGE, statuses: ["ERROR"] }) }),
  "cancel": ({ driver }) => ({
    prepare: (round) => driver.create(enqueued(`cancelled ${round}`, "bench")),
    run: (round) => cancel(driver, `cancelled ${round}`),
  }),
  "purge of 1": ({ driver }) => ({
    prepare: async (round) => {
      await driver.create(enqueued(`old ${round}`, "bench"));
      await cancel(driver, `old ${round}`);
    },
    run: () => driver.purge({ olderThanMs: 0, limit: 1 }),
  }),
}));
