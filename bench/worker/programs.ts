/**
 * The workflows that the cases run.
 *
 * @module
 */

import type { Input, Operation, Operations, Program } from "./system.ts";
import { hasTask, now, pause, type Task, taskOf, timed } from "./tasks.ts";

/** About 100 bytes. */
export const VALUE = "x".repeat(100);

/** The key of the stream that the workflows write. */
export const STREAM = "values";

/** The key of the event that the workflows set. */
export const EVENT = "state";

const DO: Record<Operation, (operations: Operations, other: string, number: number) => Promise<unknown>> = {
  step: (operations, _, number) => operations.step(`step ${number}`, () => VALUE),
  setEvent: (operations) => operations.setEvent(EVENT, VALUE),
  getEvent: (operations, other) => operations.getEvent(other, EVENT),
  send: (operations, other) => operations.send(other, VALUE),
  recv: (operations) => operations.recv(),
  writeStream: (operations) => operations.writeStream(STREAM, VALUE),
};

/** Comes to the gate of the workflow's task, and waits there. */
async function waitAtGate({ id }: Input): Promise<Task> {
  const task = taskOf(id);
  task.reach();
  await task.gate;
  return task;
}

/** The workflows by name. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  empty: () => Promise.resolve(VALUE),

  ten: async (operations) => {
    for (let number = 0; number < 10; number++) await operations.step(`step ${number}`, () => VALUE);
  },

  /** Repeats an operation, and measures each. */
  repeat: async (operations, input) => {
    const task = await waitAtGate(input);
    const run = DO[input.operation!];
    const { times, ...counts } = await timed(input.count, (number) => run(operations, input.other ?? "", number));
    task.times.push(...times);
    task.counts = counts;
  },

  /** Sets an event, and stays active until the gate opens. */
  hold: async (operations, input) => {
    await operations.setEvent(EVENT, VALUE);
    await waitAtGate(input);
  },

  /** Receives messages, and notes when it has each. */
  receive: async (operations, { id, count }) => {
    const { times } = taskOf(id);
    for (let number = 0; number < count; number++) {
      await operations.recv();
      times.push(now());
    }
  },

  /** Writes values with pauses between them, and notes when it begins to write each. */
  write: async (operations, input) => {
    const { times } = await waitAtGate(input);
    for (let number = 0; number < input.count; number++) {
      await pause(input.pauseMs!);
      times.push(now());
      await operations.writeStream(STREAM, number);
    }
  },

  /** Writes values at once, and measures them together. */
  writeMany: async (operations, input) => {
    const task = await waitAtGate(input);
    const { times, ...counts } = await timed(
      1,
      () => Promise.all(Array.from({ length: input.count }, () => operations.writeStream(STREAM, VALUE))),
    );
    task.times.push(...times);
    task.counts = counts;
  },

  /** Notes when its code begins, records steps, and then stops for another run. */
  handOver: async (operations, input) => {
    const isFirst = hasTask(input.id) && taskOf(input.id).times.length === 0;
    const task = taskOf(input.id);
    task.times.push(now());
    for (let number = 0; number < input.count; number++) await operations.step(`step ${number}`, () => VALUE);
    if (isFirst) task.reach();
    await operations.handOver(isFirst);
  },
};
