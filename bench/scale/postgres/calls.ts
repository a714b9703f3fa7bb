/**
 * Every statement that the driver sends, in all of its variants.
 *
 * @module
 */

import type { CommitRequest, Driver, MessageQuery, Transition } from "../../../core/driver/driver.ts";
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
  "with a delay": ({ driver }) => ({
    prepare: (round) => cancel(driver, `later ${round - 1}`),
    run: (round) => driver.create({ ...enqueued(`later ${round}`), due: { inMs: LEASE_MS } }),
  }),
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
  "of due workflows": list({ due: true }),
  "of due workflows of a name": list({ due: true, name: "bench" }),
  "of a prefix": list({ idPrefix: "w19999" }),
  "of 10 with a common prefix": list({ idPrefix: "w" }),
  "of 10 that were created between two instants": list({ createdAfter: 5, createdBefore: 30_000 }),
  "of 10 that failed": list({ statuses: ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] }),
};

const CONTROLS: Calls = {
  "cancel": ({ driver }) => ({
    prepare: (round) => driver.create(enqueued(`controlled ${round}`)),
    run: (round) => cancel(driver, `controlled ${round}`),
  }),
  "cancel with a child": (store) => ({
    prepare: async (round) => {
      const child = { position: 0, label: "start", type: "start" } as const;
      const workflow = { workflowId: `child of family ${round}`, name: "c", input: "1" };
      await store.driver.commit(
        commitRequest(await begin(store.driver, `family ${round}`), 1, [{ ...child, workflow }]),
      );
    },
    run: (round) => store.driver.control({ workflowId: `family ${round}`, action: "cancel", children: true }),
  }),
  "resume from a position": ({ driver }) => ({
    prepare: async (round) => {
      await cancel(driver, `rewound ${round - 1}`);
      const run = await begin(driver, `rewound ${round}`);
      await driver.send([message(`rewound ${round}`)]);
      await driver.commit(commitRequest(run, 1, [OPERATIONS.recv(0), OPERATIONS.step(1)]));
      await cancel(driver, `rewound ${round}`);
    },
    run: (round) =>
      driver.control({ workflowId: `rewound ${round}`, action: "resume", from: { position: 0, token: "token" } }),
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
  "continue as new": transition({ to: "continueAsNew", input: "1" }),
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

/** The first page of a part of a workflow. */
const PART = { after: null, limit: 10 };

function listMessages(workflowId: string, state: MessageQuery["state"], topic: string | null): MakeCall<Store> {
  return ({ driver }) => ({ run: () => driver.listMessages({ workflowId, state, topic, ...PART }) });
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
  readHistory: { "": ({ driver }) => ({ run: () => driver.readHistory({ workflowId: USED, ...PART }) }) },
  listMessages: {
    "that are unread": listMessages(USED, "unread", null),
    "that are unread, of a topic": listMessages(USED, "unread", "t"),
    // Those of a long journal take the time of the journal, which a run reads too.
    "of a short journal": listMessages("w5", "all", null),
  },
  listEvents: { "": ({ driver }) => ({ run: () => driver.listEvents({ workflowId: USED, ...PART }) }) },
  listStreams: { "": ({ driver }) => ({ run: () => driver.listStreams({ workflowId: USED, ...PART }) }) },
  control: CONTROLS,
  delete: {
    "": ({ driver }) => ({
      prepare: async (round) => {
        await driver.create(enqueued(`deleted ${round}`));
        await cancel(driver, `deleted ${round}`);
      },
      run: (round) => driver.delete({ workflowId: `deleted ${round}` }),
    }),
  },
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
