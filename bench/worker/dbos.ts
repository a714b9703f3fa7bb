/**
 * DBOS, as the cases use it. The package is installed in the folder of the bundle; the project does
 * not depend on it.
 *
 * @module
 */

import { PROGRAMS } from "./programs.ts";
import type { Input, Operations, Program, System } from "./system.ts";

type Run = (input: Input) => Promise<unknown>;

interface Handle {
  getResult(): Promise<unknown>;
}

/** The part of `DBOS` that the cases use. */
interface Dbos {
  setConfig(config: Readonly<Record<string, unknown>>): void;
  launch(): Promise<void>;
  registerWorkflow(run: Run, options: { name: string }): Run;
  startWorkflow(run: Run, options: { workflowID: string }): (input: Input) => Promise<Handle>;
  resumeWorkflow(workflowId: string): Promise<Handle>;
  runStep(run: () => Promise<unknown>, options: { name: string }): Promise<unknown>;
  setEvent(key: string, value: unknown): Promise<void>;
  getEvent(workflowId: string, key: string): Promise<unknown>;
  send(workflowId: string, message: unknown): Promise<void>;
  recv(topic: undefined, timeoutSeconds: number): Promise<unknown>;
  writeStream(key: string, value: unknown): Promise<void>;
  readStream(workflowId: string, key: string): AsyncIterable<unknown>;
}

const PACKAGE = "@dbos-inc/dbos-sdk";

/** Longer than any case waits. */
const TIMEOUT_SECONDS = 3_600;

/** Launches DBOS over a database. */
export async function dbosSystem(url: string, poolSize: number): Promise<System> {
  const { DBOS }: { DBOS: Dbos } = await import(PACKAGE);
  DBOS.setConfig({
    name: "bench",
    systemDatabaseUrl: url,
    systemDatabasePoolSize: poolSize,
    logLevel: "error",
    applicationVersion: "bench",
    executorID: crypto.randomUUID(),
  });
  const operations = operationsOf(DBOS);
  const runs = new Map(
    Object.entries(PROGRAMS).map(([name, program]) => [name, register(DBOS, operations, name, program)]),
  );
  await DBOS.launch();
  const start = async (program: string, input: Input) => {
    const handle = await DBOS.startWorkflow(runs.get(program)!, { workflowID: input.id })(input);
    return { result: () => handle.getResult() };
  };
  return {
    start,
    startForOther: start,
    left: () => Promise.resolve(),
    startHot: start,
    takeOver: async (workflowId) => {
      await (await DBOS.resumeWorkflow(workflowId)).getResult();
    },
    send: (workflowId, message) => DBOS.send(workflowId, message),
    getEvent: (workflowId, key) => DBOS.getEvent(workflowId, key),
    readStream: (workflowId, key) => DBOS.readStream(workflowId, key),
  };
}

function register(dbos: Dbos, operations: Operations, name: string, program: Program): Run {
  return dbos.registerWorkflow((input) => program(operations, input), { name });
}

function operationsOf(dbos: Dbos): Operations {
  return {
    step: (name, run) => dbos.runStep(() => Promise.resolve(run()), { name }),
    setEvent: (key, value) => dbos.setEvent(key, value),
    getEvent: (workflowId, key) => dbos.getEvent(workflowId, key),
    send: (workflowId, message) => dbos.send(workflowId, message),
    recv: () => dbos.recv(undefined, TIMEOUT_SECONDS),
    writeStream: (key, value) => dbos.writeStream(key, value),
    handOver: (isFirst) => isFirst ? new Promise(() => {}) : Promise.resolve(),
  };
}
