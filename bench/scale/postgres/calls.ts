/**
 * Every statement that the driver sends, in all of its variants.
 *
 * @module
 */

import type { CommitRequest, Driver, Transition } from "../../../core/driver/driver.ts";
import type { PushStatements, StatementName } from "../../../drivers/postgres/calls/statements.ts";
import { type Call, cancel, enqueued, type MakeCall, message, USED } from "../call.ts";
import { begin, commitRequest, LEASE_MS, type Run } from "../run.ts";
import { OPERATIONS, PARK, WAITS } from "./operations.ts";
import { LONG, type Store } from "./store.ts";

type Calls = Readonly<Record<string, MakeCall<Store>>>;

const CREATES: Calls = {
  "of a new ID": ({ driver }) => ({
    prepare: (round) => cancel(driver, `new ${round - 1}`),
    run: (round) => driver.create(enqueued(`new ${round}`)),
  }),
  "of a known ID": ({ driver }) => ({ run: () => driver.create(enqueued(USED)) }),
};

const SENDS: Calls = {
  "": ({ driver }) => ({ run: () => driver.send([message(USED)]) }),
  "repeated": ({ driver }) => ({ run: () => driver.send([message(USED, "again")]) }),
  "to a waiting workflow": ({ driver }) => ({
    prepare: async (round) => {
      await cancel(driver, `waiting ${round - 1}`);
      await driver.commit(commitRequest(await begin(driver, `waiting ${round}`), 1, WAITS, { to: "suspend" }));
    },
    run: (round) => driver.send([message(`waiting ${round}`, undefined, "none")]),
  }),
};

const PAGE = { problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null };

function list(request: Partial<Parameters<Driver["listWorkflows"]>[0]>): MakeCall<Store> {
  return ({ driver }) => ({ run: () => driver.listWorkflows({ ...PAGE, ...request }) });
}

const LISTS: Calls = {
  "of 10": list({}),
  "of 10 by name": list({ name: "bench" }),
  "of an unknown name": list({ name: "none" }),
  "of a name and status without workflows": list({ name: "bench", statuses: ["ERROR"] }),
  "of 10 without values": list({ values: false }),
  "of 1 parked workflow": list({ problem: true, limit: 1 }),
  "of a name without parked workflows": list({ problem: true, name: "bench" }),
  "of 10 that failed": list({ statuses: ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] }),
};

const CONTROLS: Calls = {
  "cancel": ({ driver }) => ({
    prepare: (round) => driver.create(enqueued(`controlled ${round}`)),
    run: (round) => cancel(driver, `controlled ${round}`),
  }),
  "resume": ({ driver }) => ({
    prepare: async (round) => {
      await cancel(driver, `resumed ${round - 1}`);
      await driver.create(enqueued(`resumed ${round}`));
      await cancel(driver, `resumed ${round}`);
    },
    run: (round) => driver.control({ workflowId: `resumed ${round}`, action: "resume" }),
  }),
  "resume a parked workflow": ({ driver }) => ({
    prepare: async (round) => {
      await cancel(driver, `resumed, parked ${round - 1}`);
      await driver.commit(commitRequest(await begin(driver, `resumed, parked ${round}`), 1, [], PARK));
    },
    run: (round) => driver.control({ workflowId: `resumed, parked ${round}`, action: "resume" }),
  }),
};

/** Makes a request for a claim, by name, and by ID if one is given. */
function claimRequest(name: string, { workflowIds = null, limit = 1, leaseMs = LEASE_MS }: {
  workflowIds?: string[] | null;
  limit?: number;
  leaseMs?: number;
} = {}) {
  return { workflowIds, names: [name], except: [], limit, leaseMs, owner: crypto.randomUUID() };
}

async function take(driver: Driver, request: ReturnType<typeof claimRequest>): Promise<void> {
  const { claimed } = await driver.claim(request);
  if (claimed.length !== 1) throw new Error(`${request.names} was not due`);
}

/** Each claimed workflow has its own name, so that a claim finds only that workflow. */
function claim(kind: string, byId: boolean): MakeCall<Store> {
  return ({ driver }) => ({
    prepare: (round) => driver.create(enqueued(`${kind} ${round}`)),
    run: (round) => {
      const name = `${kind} ${round}`;
      return take(driver, claimRequest(name, { workflowIds: byId ? [name] : null }));
    },
  });
}

const CLAIMS: Calls = {
  "of a due workflow": claim("due", false),
  "by ID": claim("woken", true),
  "of a long journal": ({ driver }) => ({
    run: () => take(driver, claimRequest(LONG, { workflowIds: [LONG], leaseMs: 0 })),
  }),
  "with nothing due": ({ driver }) => ({ run: () => driver.claim(claimRequest("none", { limit: 10 })) }),
};

/** Ends the children that have been started, and sends what the run may receive. */
async function prepareCommit({ driver, children }: Store): Promise<void> {
  for (const workflowId of children.splice(0)) await cancel(driver, workflowId);
  await driver.send([message(USED), message(USED)]);
}

function commit(...makes: Parameters<Store["next"]>[0][]): MakeCall<Store> {
  return (store) => ({
    prepare: () => prepareCommit(store),
    run: () => store.commit(makes.map((make) => store.next(make))),
  });
}

const COMMITS: Calls = {
  ...Object.fromEntries(
    Object.entries(OPERATIONS).flatMap(([name, make]) => [
      [name, commit(make)],
      // Two operations go to the function for all cases, even if one would go to a short function.
      [`${name} and a step`, commit(make, OPERATIONS.step)],
    ]),
  ),
  "of a child's result": (store) => ({
    prepare: async () => {
      await store.commit([store.next(OPERATIONS.start)]);
      await cancel(store.driver, store.children.at(-1)!);
    },
    run: () =>
      store.commit([
        store.next((position) => ({
          ...OPERATIONS.result(position),
          workflowId: store.children.at(-1)!,
          started: true,
        })),
      ]),
  }),
  "of all operations, repeated": (store) => {
    let all: CommitRequest;
    return {
      prepare: async () => {
        await prepareCommit(store);
        all = await store.commit(Object.values(OPERATIONS).map(store.next));
      },
      run: () => store.driver.commit(all),
    };
  },
  "suspend": transition({ to: "suspend" }, WAITS),
  "yield": transition({ to: "yield" }),
  "park": transition(PARK),
  "end": transition({ to: "end", status: "SUCCESS", output: "1", error: null }),
};

/** A transition, each time in a run of its own. The workflow of the time before must not be due. */
function transition(to: Transition, operations: Parameters<typeof commitRequest>[2] = []): MakeCall<Store> {
  return ({ driver }): Call => {
    let run: Run;
    return {
      prepare: async (round) => {
        await cancel(driver, `${to.to} ${round - 1}`);
        run = await begin(driver, `${to.to} ${round}`);
      },
      run: () => driver.commit(commitRequest(run, 1, operations, to)),
    };
  };
}

/** The calls of each statement, by variant. */
const STATEMENTS: Record<StatementName | Exclude<keyof PushStatements, "channel">, Calls> = {
  migrate: { "": ({ driver }) => ({ run: () => driver.migrate() }) },
  create: CREATES,
  claim: CLAIMS,
  commit: COMMITS,
  readJournal: {
    "": ({ driver }) => ({ run: () => driver.readJournal({ workflowId: USED, after: 0, limit: 10 }) }),
  },
  send: SENDS,
  readWorkflow: { "": ({ driver }) => ({ run: () => driver.readWorkflow(USED) }) },
  listWorkflows: LISTS,
  readEvent: { "": ({ driver }) => ({ run: () => driver.readEvent({ workflowId: USED, key: "state" }) }) },
  readStream: {
    "of 1,000 values": ({ driver }, from) => ({
      run: () => driver.readStream({ workflowId: USED, key: "long", from, limit: 1_000 }),
    }),
  },
  control: CONTROLS,
  purge: {
    "": ({ driver }) => ({
      prepare: async (round) => {
        await driver.create(enqueued(`old ${round}`));
        await cancel(driver, `old ${round}`);
      },
      run: () => driver.purge({ olderThanMs: 0, limit: 1 }),
    }),
  },
  listen: { "": ({ queryable, push }) => ({ run: () => queryable.query(push.listen, ["bench", "60000"]) }) },
  settle: { "": ({ queryable, push }) => ({ run: () => queryable.query(push.settle) }) },
  unlisten: { "": ({ queryable, push }) => ({ run: () => queryable.query(push.unlisten, ["bench"]) }) },
};

/** The calls by name: the statement, then the variant. */
export const CALLS: ReadonlyMap<string, MakeCall<Store>> = new Map(
  Object.entries(STATEMENTS).flatMap(([statement, variants]) =>
    Object.entries(variants).map(([variant, make]): [string, MakeCall<Store>] => [
      `${statement} ${variant}`.trim(),
      make,
    ])
  ),
);
