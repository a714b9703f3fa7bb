/**
 * What the workflows of this process tell the cases, and when the cases let them go on. It is kept
 * in memory only, so that it costs no system anything.
 *
 * @module
 */

import { type Counts, counts } from "./requests.ts";

/** The task of one workflow in this process. */
export interface Task {
  /** Settles when the case lets the workflow go on. */
  readonly gate: Promise<void>;
  /** Lets the workflow go on. */
  open(): void;
  /** Settles when the workflow has come to its gate. */
  readonly reached: Promise<void>;
  /** The workflow has come to its gate. */
  reach(): void;
  /** The times that the workflow has measured. */
  readonly times: number[];
  /** What the workflow has asked of its store meanwhile. */
  counts: Counts;
}

/** The times of operations, and what they asked of the store together. */
export interface Timed extends Counts {
  readonly times: readonly number[];
}

const tasks = new Map<string, Task>();

/** Whether this process has the task already. */
export function hasTask(id: string): boolean {
  return tasks.has(id);
}

/** The task of a workflow. */
export function taskOf(id: string): Task {
  let task = tasks.get(id);
  if (!task) {
    let open = () => {};
    let reach = () => {};
    const gate = new Promise<void>((resolve) => open = resolve);
    const reached = new Promise<void>((resolve) => reach = resolve);
    tasks.set(
      id,
      task = { gate, open: () => open(), reached, reach: () => reach(), times: [], counts: { requests: 0 } },
    );
  }
  return task;
}

/** Waits until a task has so many times. */
export async function hasTimes(id: string, count: number): Promise<void> {
  while (taskOf(id).times.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Removes a task, and returns what it has measured. */
export function takeTask(id: string): Timed {
  const { times, counts } = taskOf(id);
  tasks.delete(id);
  return { times, ...counts };
}

/** Does an operation `count` times, one after the other. */
export async function timed(count: number, run: (number: number) => Promise<unknown>): Promise<Timed> {
  const times: number[] = [];
  const before = await counts();
  for (let number = 0; number < count; number++) {
    const begin = now();
    await run(number);
    times.push(now() - begin);
  }
  const after = await counts();
  return {
    times,
    requests: after.requests - before.requests,
    ...after.commands !== undefined && { commands: after.commands - before.commands! },
  };
}

/** The time in milliseconds, on a clock that the processes of one machine share. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Waits for a random part of a time, so that no rhythm of a system meets that of the case. */
export function pause(longestMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, longestMs * (0.5 + Math.random() / 2)));
}
