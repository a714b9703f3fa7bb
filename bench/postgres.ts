/**
 * Measures the driver's calls on PGlite, in milliseconds and as multiples of a bare `select 1` that
 * runs in turn with them.
 *
 *     deno run -A bench/postgres.ts
 *
 * @module
 */

import { PGlite } from "@electric-sql/pglite";
import type { Driver, Operation } from "../core/driver/driver.ts";
import { postgresDriver, type Queryable } from "../drivers/postgres/mod.ts";

const ROUNDS = 400;
const WARM_UP = 50;

/** A call to time in each round, and its untimed preparation. */
export interface Subject {
  readonly name: string;
  readonly prepare?: (round: number) => Promise<unknown>;
  readonly run: (round: number) => Promise<unknown>;
}

/**
 * Times all subjects in turn and returns their medians. Every second round goes backwards. So a
 * slow phase of the machine, and the call before, affect all subjects alike.
 */
export async function measure(subjects: readonly Subject[]): Promise<Map<string, number>> {
  const times = new Map(subjects.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const { name, prepare, run } of round % 2 === 0 ? subjects : subjects.toReversed()) {
      await prepare?.(round);
      const start = performance.now();
      await run(round);
      if (round >= WARM_UP) times.get(name)?.push(performance.now() - start);
    }
  }
  return new Map([...times].map(([name, list]) => [name, median(list)]));
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
}

/** Opens a run of a new workflow. The returned function commits operations in that run. */
async function openRun(
  driver: Driver,
  workflowId: string,
): Promise<(operations: readonly Operation[]) => Promise<void>> {
  const leaseMs = 60_000;
  const owner = crypto.randomUUID();
  const { epoch } = await driver.create({ workflowId, name: "bench", input: "null", owner, leaseMs });
  let number = 0;
  return async (operations) => {
    const result = await driver.commit({
      workflowId,
      epoch,
      owner,
      number: ++number,
      leaseMs,
      operations,
      transition: null,
    });
    if (result.state !== "held") throw new Error(`${workflowId} is ${result.state}`);
  };
}

/** Makes the subjects, each with its own workflow. */
export async function subjects(queryable: Queryable, driver: Driver): Promise<Subject[]> {
  const value = JSON.stringify("x".repeat(100));
  const [record, event, stream, batch, sender, receiver] = await Promise.all(
    ["record", "event", "stream", "batch", "sender", "receiver"].map((id) => openRun(driver, id)),
  ) as [OpenRun, OpenRun, OpenRun, OpenRun, OpenRun, OpenRun];
  await openRun(driver, "destination");
  const message = (destinationId: string) => ({
    destinationId,
    topic: "",
    messageId: crypto.randomUUID(),
    dedupeKey: crypto.randomUUID(),
    value,
  });
  return [
    { name: "select 1", run: () => queryable.query("select 1") },
    {
      name: "step",
      run: (n) => record([{ position: n, label: "step", type: "record", outcome: { tag: "value", value } }]),
    },
    {
      name: "setEvent",
      run: (n) => event([{ position: n, label: "setEvent", type: "setEvent", key: "progress", value }]),
    },
    {
      name: "writeStream",
      run: (n) => stream([{ position: n, label: "writeStream", type: "writeStream", key: "tokens", value }]),
    },
    {
      name: "send, in a workflow",
      run: (n) => sender([{ position: n, label: "send", type: "send", message: message("destination") }]),
    },
    { name: "send, from outside", run: () => driver.send([message("destination")]) },
    {
      name: "recv",
      prepare: () => driver.send([message("receiver")]),
      run: (n) => receiver([{ position: n, label: "recv", type: "receive", topics: [""], timeoutMs: null }]),
    },
    {
      name: "100 stream writes",
      run: (n) =>
        batch(
          Array.from(
            { length: 100 },
            (_, i) => ({ position: n * 100 + i, label: "writeStream", type: "writeStream", key: "tokens", value }),
          ),
        ),
    },
  ];
}

type OpenRun = Awaited<ReturnType<typeof openRun>>;

if (import.meta.main) {
  const database = await PGlite.create();
  const medians = await measure(await subjects(database, postgresDriver(database)));
  const bare = medians.get("select 1") ?? Number.NaN;
  for (const [name, ms] of medians) {
    console.log(`${name.padEnd(20)} ${ms.toFixed(3).padStart(8)} ms ${(ms / bare).toFixed(1).padStart(8)} x`);
  }
  await database.close();
}
