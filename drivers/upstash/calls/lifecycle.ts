/**
 * The beginning and the end of workflows, as decided from outside.
 *
 * @module
 */

import type { ControlResult, CreateRequest, CreateResult, NewMessage, SendResult } from "../../../core/driver.ts";
import { Call } from "../call.ts";
import type { Attempt, Client } from "../client.ts";
import { ahead, type Extent, list } from "../extents.ts";
import { messagePart, useQueue } from "./commit.ts";
import {
  declareEnd,
  declareInbox,
  declareIndex,
  declareParent,
  declareSchedule,
  declareWhole,
  type QueueUse,
  withExtent,
  withKept,
} from "./parts.ts";
import { expire, finishPurge } from "./purge.ts";

/** `Driver.create`. */
export async function create(client: Client, request: CreateRequest): Promise<CreateResult> {
  const { workflowId, name, input, owner, leaseMs } = request;
  const build = () => {
    const call = new Call(client.keys);
    declareSchedule(call);
    call.workflow(workflowId);
    const document = { channel: client.keys.channel, name, owner, leaseMs: leaseMs ?? undefined, input: call.value(input) };
    return call.arguments({ ...document, ...declareIndex(call, ["ENQUEUED", "PENDING"]), workflows: call.workflows });
  };
  const { meta } = await client.call<CreateResult>("create", build, (ids) => finishPurge(client, ids));
  const { created, name: stored, epoch, createdAt, now } = meta;
  // One that was purged may have had the ID.
  if (created && leaseMs !== null) client.extents.learn([{ id: workflowId, whole: true }]);
  return { created, name: stored, epoch, createdAt, now };
}

/** `Driver.send`. */
export async function send(client: Client, messages: readonly NewMessage[]): Promise<SendResult> {
  if (messages.length === 0) return { state: "sent", receipts: [], woken: [] };
  const uses = new Map<string, Map<string, QueueUse>>();
  for (const { destinationId, topic } of messages) useQueue(uses, destinationId, topic, "send");
  const build = () => {
    const call = new Call(client.keys);
    declareSchedule(call);
    const inboxes = new Map([...uses].map(([id, topics]) => [id, declareInbox(call, id, client.extents.of(id), topics)]));
    const documents = messages.map((message) => messagePart(call, inboxes, message));
    const workflows = call.workflows.map((part) => ({ ...part, ...inboxes.get(part.id) }));
    return call.arguments({ channel: client.keys.channel, messages: documents, workflows });
  };
  const { meta } = await client.call<SendMeta>("send", build);
  if (meta.state === "refused") return { state: "refused", index: meta.index, reason: meta.reason, status: meta.status ?? null };
  const receipts = list<[string, boolean]>(meta.receipts).map(([messageId, duplicate]) => ({ messageId, duplicate }));
  return { state: "sent", receipts, woken: [...list<string>(meta.woken)] };
}

type SendMeta =
  | { state: "sent"; receipts: object; woken: object }
  | Omit<Extract<SendResult, { state: "refused" }>, "status"> & {
    status?: "SUCCESS" | "ERROR" | "CANCELLED" | "MAX_RECOVERY_ATTEMPTS_EXCEEDED";
  };

/** `Driver.control`. */
export async function control(client: Client, request: { workflowId: string; action: "cancel" | "resume" }): Promise<ControlResult> {
  const { workflowId, action } = request;
  const { keys, extents, retention } = client;
  let before: Extent | undefined;
  const build = ({ tries }: Attempt) => {
    const call = new Call(keys);
    declareSchedule(call);
    call.workflow(workflowId);
    const extent = extents.of(workflowId);
    // What the first try was built from may have been out of date for long. What comes after the second has come in between.
    const whole = tries > 1 && before ? ahead(extent, before) : extent;
    before = structuredClone(extent);
    declareParent(call, extent.parent);
    for (const name of extent.waits) call.key(name);
    return call.arguments({
      ...{ channel: keys.channel, action, waiters: call.key(keys.waiters(workflowId)), together: call.key(keys.together) },
      ...declareEnd(call, ["ENQUEUED", "PENDING", "parked", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"], retention),
      // All keys of the workflow are wanted if they get an expiry, or if they have one; which is not known at first.
      ...((retention !== undefined || tries > 0) && declareWhole(call, workflowId, whole)),
      workflows: call.workflows.map((part) => withKept(call, withExtent(call, part))),
    });
  };
  const { meta } = await client.call<ControlMeta>("control", build);
  if (meta.state === "not_found") return { state: "not_found" };
  if (meta.state === "ended") return { state: "ended", status: meta.status };
  await expire(client, meta.expiring);
  return { state: "done", woken: [...list<string>(meta.woken)] };
}

type ControlMeta = Exclude<ControlResult, { state: "done" }> | { state: "done"; woken: object; expiring: object };
