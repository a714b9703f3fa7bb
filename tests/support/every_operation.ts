/**
 * Every operation of a driver once, in a story in which each answer depends on the earlier
 * operations.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import {
  closeStream,
  end,
  observeEvent,
  receive,
  record,
  send,
  setEvent,
  start,
  SUSPEND,
  writeStream,
} from "../../conformance/operations.ts";
import { claimRequest, commitRequest, createRequest, newMessage, newWorkflow } from "../../conformance/requests.ts";

/** The operations, in order, with requests that are the same each time. */
export function everyOperation(driver: Driver): (() => Promise<unknown>)[] {
  const message = (id: string, n: number) =>
    newMessage(id, { messageId: `message ${n}`, dedupeKey: `key ${n}`, topic: "t" });
  const run = { workflowId: "w", epoch: 1, owner: "first" };
  const next = { workflowId: "w", epoch: 2, owner: "second" };
  const third = { workflowId: "other", epoch: 3, owner: "third", number: 1 };
  const operations = [
    record(0, "1"),
    setEvent(1, "event", "2"),
    setEvent(null, "event", "3"),
    writeStream(2, "stream", "4"),
    writeStream(null, "stream", "5"),
    closeStream(3, "closed"),
    send(4, message("other", 1)),
    send(null, message("other", 2)),
    start(5, newWorkflow("child")),
    receive(6, ["t"]),
    observeEvent(7, "w", "event"),
    receive(8, ["u"], 60_000),
  ];
  return [
    () => driver.create(createRequest("w", { owner: "first" })),
    () => driver.create(createRequest("other", { owner: "first", leaseMs: null })),
    () => driver.send([message("w", 3), message("other", 4), message("w", 5)]),
    () => driver.commit(commitRequest({ ...run, number: 1 }, operations)),
    () => driver.commit(commitRequest({ ...run, number: 2 }, [receive(8, ["u"])], SUSPEND)),
    () => driver.send([{ ...message("w", 6), topic: "u" }]),
    () => driver.claim(claimRequest({ workflowIds: ["w"], owner: "second" })),
    () => driver.readJournal({ workflowId: "w", after: 0, limit: 100 }),
    () => driver.commit(commitRequest({ ...next, number: 1 }, [receive(8, ["u"])], end("SUCCESS", "6"))),
    () => driver.readWorkflow("w"),
    () => driver.listWorkflows({ problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null }),
    () => driver.readEvent({ workflowId: "w", key: "event" }),
    () => driver.readStream({ workflowId: "w", key: "stream", from: 0, limit: 10 }),
    () => driver.control({ workflowId: "other", action: "cancel" }),
    () => driver.control({ workflowId: "other", action: "resume" }),
    () => driver.readHistory({ workflowId: "w", after: null, limit: 100 }),
    () => driver.listMessages({ workflowId: "w", after: null, limit: 100, state: "all", topic: null }),
    () => driver.listEvents({ workflowId: "w", after: null, limit: 100 }),
    () => driver.listStreams({ workflowId: "w", after: null, limit: 100 }),
    () => driver.control({ workflowId: "other", action: "cancel", children: true }),
    () => driver.control({ workflowId: "other", action: "resume", from: { position: 0, token: "token" } }),
    () => driver.claim(claimRequest({ workflowIds: ["other"], owner: "third" })),
    () => driver.commit(commitRequest(third, [], { to: "continueAsNew", input: "7" })),
  ];
}
