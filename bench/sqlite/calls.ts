/**
 * Calls of a driver, each of which waits for the one before.
 *
 * @module
 */

import { begin } from "../../conformance/driven_run.ts";
import { receive, record } from "../../conformance/operations.ts";
import { createRequest, newMessage } from "../../conformance/requests.ts";
import type { Driver } from "../../core/driver/driver.ts";

/** About 100 bytes. */
export const VALUE: string = JSON.stringify("x".repeat(98));

/** How many steps one commit has. */
export const TOGETHER = 10;

/** Makes the call with a number from 0. */
export type Call = (number: number) => Promise<unknown>;

const id = () => crypto.randomUUID();

/** Prepares a call over a workflow of its own. */
export const CALLS: Readonly<Record<string, (driver: Driver) => Promise<Call>>> = {
  "step": async (driver) => {
    const run = await begin(driver, id());
    return (n) => run.held([record(n, VALUE)]);
  },
  "ten steps together, each": async (driver) => {
    const run = await begin(driver, id());
    return (n) => run.held(Array.from({ length: TOGETHER }, (_, index) => record(TOGETHER * n + index, VALUE)));
  },
  "start": (driver) => Promise.resolve(() => driver.create(createRequest(id(), { input: VALUE }))),
  "send": async (driver) => {
    const { workflowId } = await begin(driver, id());
    return () => driver.send([newMessage(workflowId, { value: VALUE })]);
  },
  "recv": async (driver) => {
    const run = await begin(driver, id());
    for (let sent = 0; sent < 200; sent++) await driver.send([newMessage(run.workflowId, { value: VALUE })]);
    return (n) => run.held([receive(n, [""])]);
  },
};
