/**
 * Calls of a driver, each of which waits for the one before.
 *
 * @module
 */

import assert from "node:assert/strict";
import { begin } from "../../conformance/driven_run.ts";
import { receive, record } from "../../conformance/operations.ts";
import { createRequest, newMessage } from "../../conformance/requests.ts";
import type { Driver, Operation } from "../../core/driver/driver.ts";

/** About 100 bytes. */
export const VALUE: string = JSON.stringify("x".repeat(98));

/** How many steps one commit has. */
export const TOGETHER = 10;

/** Calls that are ready to be made, each once and in their order. The time to make the requests does not count. */
export interface Calls {
  /** Makes a call, by its number from 0. */
  call(number: number): Promise<object>;
  /** A member that the answer must have, and its value. */
  readonly answer: readonly [member: string, value: unknown];
}

type Prepare = (driver: Driver, count: number) => Promise<Calls>;

/** Commits of one run, each with these operations. */
const commits =
  (operations: (number: number) => Operation[], messages: boolean = false): Prepare => async (driver, count) => {
    const run = await begin(driver, crypto.randomUUID());
    if (messages) await sendMany(driver, run.workflowId, count);
    const requests = Array.from({ length: count }, (_, number) => run.next(operations(number)));
    return { call: (number) => driver.commit(requests[number]!), answer: ["state", "held"] };
  };

async function sendMany(driver: Driver, workflowId: string, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) await driver.send([newMessage(workflowId, { value: VALUE })]);
}

/** Prepares so many calls over a workflow of their own. */
export const CALLS: Readonly<Record<string, Prepare>> = {
  "step": commits((n) => [record(n, VALUE)]),
  "ten steps together, each": commits((n) =>
    Array.from({ length: TOGETHER }, (_, index) => record(TOGETHER * n + index, VALUE))
  ),
  "start": (driver, count) => {
    const requests = Array.from({ length: count }, () => createRequest(crypto.randomUUID(), { input: VALUE }));
    return Promise.resolve({ call: (n) => driver.create(requests[n]!), answer: ["created", true] });
  },
  "send": async (driver, count) => {
    const { workflowId } = await begin(driver, crypto.randomUUID());
    const requests = Array.from({ length: count }, () => [newMessage(workflowId, { value: VALUE })]);
    return { call: (n) => driver.send(requests[n]!), answer: ["state", "sent"] };
  },
  "recv": commits((n) => [receive(n, [""])], true),
};

/** Makes calls one after the other, and returns the milliseconds that each has taken. */
export async function timed({ call, answer: [member, value] }: Calls, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let number = 0; number < count; number++) {
    const begun = performance.now();
    const result = await call(number);
    times.push(performance.now() - begun);
    assert.equal(Reflect.get(result, member), value);
  }
  return times;
}
