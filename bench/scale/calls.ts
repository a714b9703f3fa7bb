/**
 * Every statement that the driver sends, in all of its variants.
 *
 * @module
 */

import type { ClaimRequest, Driver, Operation, Transition } from "../../core/driver/driver.ts";
import type { PushStatements, StatementName } from "../../drivers/postgres/statements.ts";
import { begin, commitRequest, LEASE_MS, LONG, OTHER, type Run, type Store, USED, VALUE } from "./store.ts";

/** A call. `round` is a different number each time. */
export interface Call {
  /** Creates what the call needs. It is not timed. */
  readonly prepare?: (round: number) => Promise<unknown>;
  /** Sends the statement once. */
  readonly run: (round: number) => Promise<unknown>;
}

/** The calls of each statement, by variant. */
export type Calls = Record<StatementName | keyof PushStatements, Record<string, Call>>;

/**
 * Returns the calls for a store.
 *
 * @param store The store.
 * @param from The offset of the first of the last 1,000 values of the long stream.
 */
export function calls(store: Store, from: number): Calls {
  const { driver, queryable, push } = store;
  const read = { workflowId: USED, key: "long", from, limit: 1_000 };
  return {
    migrate: { "": { run: () => driver.migrate() } },
    create: {
      "of a new ID": {
        prepare: (round) => cancel(driver, `new ${round - 1}`),
        run: (round) => driver.create(enqueued(`new ${round}`)),
      },
      "of a known ID": { run: () => driver.create(enqueued(USED)) },
    },
    claim: claims(store),
    commit: commits(store),
    readJournal: { "": { run: () => driver.readJournal({ workflowId: USED, after: 0, limit: 10 }) } },
    send: sends(driver),
    readWorkflow: { "": { run: () => driver.readWorkflow(USED) } },
    listWorkflows: lists(driver),
    readEvent: { "": { run: () => driver.readEvent({ workflowId: USED, key: "state" }) } },
    readStream: { "of 1,000 values": { run: () => driver.readStream(read) } },
    control: controls(driver),
    purge: {
      "": {
        prepare: async (round) => {
          await driver.create(enqueued(`old ${round}`));
          await cancel(driver, `old ${round}`);
        },
        run: () => driver.purge({ olderThanMs: 0, limit: 1 }),
      },
    },
    listen: { "": { run: () => queryable.query(push.listen, ["bench", 60_000]) } },
    settle: { "": { run: () => queryable.query(push.settle) } },
    unlisten: { "": { run: () => queryable.query(push.unlisten, ["bench"]) } },
  };
}

function enqueued(workflowId: string) {
  return { workflowId, name: workflowId, input: "null", owner: crypto.randomUUID(), leaseMs: null };
}

function message(destinationId: string, id: string = crypto.randomUUID(), topic: string = "t") {
  return { destinationId, topic, messageId: id, dedupeKey: id, value: VALUE };
}

function cancel(driver: Driver, workflowId: string) {
  return driver.control({ workflowId, action: "cancel" });
}

function sends(driver: Driver): Record<string, Call> {
  return {
    "": { run: () => driver.send([message(USED)]) },
    "repeated": { run: () => driver.send([message(USED, "again")]) },
    "to a waiting workflow": {
      prepare: async (round) => {
        await cancel(driver, `waiting ${round - 1}`);
        await driver.commit(commitRequest(await begin(driver, `waiting ${round}`), 1, WAITS, { to: "suspend" }));
      },
      run: (round) => driver.send([message(`waiting ${round}`, undefined, "none")]),
    },
  };
}

function lists(driver: Driver): Record<string, Call> {
  const any = { problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null };
  return {
    "of 10": { run: () => driver.listWorkflows(any) },
    "of 10 by name": { run: () => driver.listWorkflows({ ...any, name: "bench" }) },
    "of an unknown name": { run: () => driver.listWorkflows({ ...any, name: "none" }) },
    "of a name and status without workflows": {
      run: () => driver.listWorkflows({ ...any, name: "bench", statuses: ["ERROR"] }),
    },
    "of 10 without values": { run: () => driver.listWorkflows({ ...any, values: false }) },
    "of 1 parked workflow": { run: () => driver.listWorkflows({ ...any, problem: true, limit: 1 }) },
    "of a name without parked workflows": { run: () => driver.listWorkflows({ ...any, problem: true, name: "bench" }) },
    "of 10 that failed": {
      run: () => driver.listWorkflows({ ...any, statuses: ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] }),
    },
  };
}

function controls(driver: Driver): Record<string, Call> {
  const create = (round: number) => driver.create(enqueued(`controlled ${round}`));
  return {
    "cancel": { prepare: create, run: (round) => cancel(driver, `controlled ${round}`) },
    "resume": {
      prepare: async (round) => {
        await cancel(driver, `resumed ${round - 1}`);
        await driver.create(enqueued(`resumed ${round}`));
        await cancel(driver, `resumed ${round}`);
      },
      run: (round) => driver.control({ workflowId: `resumed ${round}`, action: "resume" }),
    },
    "resume a parked workflow": {
      prepare: async (round) => {
        await cancel(driver, `resumed, parked ${round - 1}`);
        await driver.commit(commitRequest(await begin(driver, `resumed, parked ${round}`), 1, [], PARK));
      },
      run: (round) => driver.control({ workflowId: `resumed, parked ${round}`, action: "resume" }),
    },
  };
}

/** Each claimed workflow has its own name, so that a claim finds only that workflow. */
function claims({ driver }: Store): Record<string, Call> {
  const take = async (request: ClaimRequest) => {
    const { claimed } = await driver.claim(request);
    if (claimed.length !== 1) throw new Error(`${request.names} was not due`);
  };
  const claim = (kind: string, byId: boolean): Call => ({
    prepare: (round) => driver.create(enqueued(`${kind} ${round}`)),
    run: async (round) => {
      const name = `${kind} ${round}`;
      const request = {
        workflowIds: byId ? [name] : null,
        names: [name],
        except: [],
        limit: 1,
        leaseMs: LEASE_MS,
        owner: crypto.randomUUID(),
      };
      await take(request);
    },
  });
  const none = () => ({
    workflowIds: null,
    names: ["none"],
    except: [],
    limit: 10,
    leaseMs: LEASE_MS,
    owner: crypto.randomUUID(),
  });
  return {
    "of a due workflow": claim("due", false),
    "by ID": claim("woken", true),
    "of a long journal": {
      run: () =>
        take({ workflowIds: [LONG], names: [LONG], except: [], limit: 1, leaseMs: 0, owner: crypto.randomUUID() }),
    },
    "with nothing due": { run: () => driver.claim(none()) },
  };
}

const OPERATIONS: Record<string, (position: number) => Operation> = {
  "step": (position) => ({ position, label: "step", type: "record", outcome: { tag: "value", value: VALUE } }),
  "setEvent": (position) => ({ position, label: "setEvent", type: "setEvent", key: "state", value: VALUE }),
  "writeStream": (position) => ({ position, label: "writeStream", type: "writeStream", key: "long", value: VALUE }),
  "closeStream": (position) => ({ position, label: "closeStream", type: "closeStream", key: `stream ${position}` }),
  "send": (position) => ({ position, label: "send", type: "send", message: message(OTHER) }),
  "start": (position) => ({
    position,
    label: "start",
    type: "start",
    workflow: { workflowId: `child ${position}`, name: "c", input: "1" },
  }),
  "recv": (position) => ({ position, label: "recv", type: "receive", topics: ["t"], timeoutMs: null }),
  "recvAny": (position) => ({ position, label: "recvAny", type: "receive", topics: ["t", "u", "v"], timeoutMs: null }),
  "getEvent": (position) => ({
    position,
    label: "getEvent",
    type: "observeEvent",
    workflowId: USED,
    key: "state",
    timeoutMs: 0,
    started: false,
  }),
  "result": (position) => ({
    position,
    label: "result",
    type: "observeResult",
    workflowId: OTHER,
    timeoutMs: 0,
    started: false,
    together: false,
  }),
  "sleep": (position) => ({ position, label: "sleep", type: "sleep", timeoutMs: 0 }),
  "pause": (position) => ({ position, label: "step", type: "pause", attempts: 1, timeoutMs: 0 }),
};

const PARK: Transition = { to: "park", problem: '"problem"', delayMs: 60_000 };

/** Waits that never get an outcome. */
const WAITS: readonly Operation[] = [
  { position: 0, label: "recv", type: "receive", topics: ["none"], timeoutMs: 60_000 },
  {
    position: 1,
    label: "getEvent",
    type: "observeEvent",
    workflowId: "none",
    key: "none",
    timeoutMs: 60_000,
    started: false,
  },
  {
    position: 2,
    label: "result",
    type: "observeResult",
    workflowId: "none",
    timeoutMs: 60_000,
    started: false,
    together: false,
  },
];

function commits({ driver, commit }: Store): Record<string, Call> {
  let position = 0;
  const started: string[] = [];
  const made = (make: (position: number) => Operation) => {
    const operation = make(position++);
    if (operation.type === "start") started.push(operation.workflow.workflowId);
    return operation;
  };
  const prepare = async () => {
    for (const workflowId of started.splice(0)) await cancel(driver, workflowId);
    await driver.send([message(USED), message(USED)]);
  };
  let all: Awaited<ReturnType<typeof commit>>;
  const everything = async () => {
    await prepare();
    all = await commit(Object.values(OPERATIONS).map(made));
  };
  return {
    ...Object.fromEntries(
      Object.entries(OPERATIONS).map(([name, make]) => [name, { prepare, run: () => commit([made(make)]) }]),
    ),
    "of a child's result": {
      prepare: async () => {
        await commit([made(OPERATIONS.start!)]);
        await cancel(driver, started.at(-1)!);
      },
      run: () =>
        commit([
          made((position) =>
            ({ ...OPERATIONS.result!(position), workflowId: started.at(-1)!, started: true }) as Operation
          ),
        ]),
    },
    "of all operations, repeated": { prepare: everything, run: () => driver.commit(all) },
    ...transitions(driver),
  };
}

/** Transitions, each in a run of its own. The previous round's workflow must not be due. */
function transitions(driver: Driver): Record<string, Call> {
  const transition = (to: Transition["to"], operations: readonly Operation[], ending?: object): Call => {
    let run: Run;
    return {
      prepare: async (round) => {
        await cancel(driver, `${to} ${round - 1}`);
        run = await begin(driver, `${to} ${round}`);
      },
      run: () => driver.commit(commitRequest(run, 1, operations, { to, ...ending } as Transition)),
    };
  };
  return {
    "suspend": transition("suspend", WAITS),
    "yield": transition("yield", []),
    "park": transition("park", [], PARK),
    "end": transition("end", [], { status: "SUCCESS", output: "1", error: null }),
  };
}
