/**
 * What the commits of a run contain.
 *
 * @module
 */

import type { Operation, Transition } from "../../../core/driver/driver.ts";
import { message, USED, VALUE } from "../call.ts";
import { OTHER } from "./store.ts";

/** Each kind of operation, at a position. */
export const OPERATIONS = {
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
} as const satisfies Readonly<Record<string, (position: number) => Operation>>;

/** A run that an error has stopped. */
export const PARK: Transition = { to: "park", problem: '"problem"', delayMs: 60_000 };

/** Waits that never get an outcome. */
export const WAITS: readonly Operation[] = [
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
