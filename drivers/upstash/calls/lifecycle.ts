/**
 * The beginning and the end of workflows, as decided from outside.
 *
 * @module
 */

import type {
  ControlResult,
  CreateRequest,
  CreateResult,
  NewMessage,
  SendResult,
} from "../../../core/driver/driver.ts";
import { list } from "../answer.ts";
import { OWN_KINDS } from "../keys.ts";
import type { ScriptCalls } from "../script_calls.ts";
import { ScriptRequest } from "../script_request.ts";
import { messagePart } from "./commit.ts";
import { expire } from "./purge.ts";

/** `Driver.create`. */
export async function create(
  calls: ScriptCalls,
  { workflowId, name, input, owner, leaseMs }: CreateRequest,
): Promise<CreateResult> {
  const request = new ScriptRequest(calls.keys);
  request.shareSchedule();
  request.shareIndexes("ENQUEUED", "PENDING");
  request.workflow(workflowId);
  const document = { name, owner, leaseMs: leaseMs ?? undefined, input: request.value(input) };
  const { meta } = await calls.call<CreateResult>("create", request, document);
  return { created: meta.created, name: meta.name, epoch: meta.epoch, createdAt: meta.createdAt, now: meta.now };
}

/** `Driver.send`. */
export async function send(calls: ScriptCalls, messages: readonly NewMessage[]): Promise<SendResult> {
  if (messages.length === 0) return { state: "sent", receipts: [], woken: [] };
  const request = new ScriptRequest(calls.keys);
  request.shareSchedule();
  const document = { maxBytes: calls.maxBytes, messages: messages.map((message) => messagePart(request, message)) };
  const { meta } = await calls.call<SendMeta>("send", request, document);
  if (meta.state === "refused") {
    return { state: "refused", index: meta.index, reason: meta.reason, status: meta.status ?? null };
  }
  const receipts = list<[string, boolean]>(meta.receipts).map(([messageId, duplicate]) => ({ messageId, duplicate }));
  return { state: "sent", receipts, woken: [...list<string>(meta.woken)] };
}

type Refused = Extract<SendResult, { state: "refused" }>;
type SendMeta =
  | { state: "sent"; receipts: object; woken: object }
  | Omit<Refused, "status"> & { status?: Exclude<Refused["status"], null> };

/** `Driver.control`. */
export async function control(
  calls: ScriptCalls,
  { workflowId, action }: { workflowId: string; action: "cancel" | "resume" },
): Promise<ControlResult> {
  const request = new ScriptRequest(calls.keys, "waiting", "together");
  request.shareSchedule();
  request.shareIndexes("ENQUEUED", "PENDING", "parked", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED");
  request.shareEnded(calls.retention);
  request.workflow(workflowId, ...OWN_KINDS);
  const { meta } = await calls.call<ControlMeta>("control", request, { action, retention: calls.retention });
  if (meta.state === "not_found") return { state: "not_found" };
  if (meta.state === "ended") return { state: "ended", status: meta.status };
  await expire(calls, meta.expiring);
  return { state: "done", woken: [...list<string>(meta.woken)] };
}

type ControlMeta = Exclude<ControlResult, { state: "done" }> | { state: "done"; woken: object; expiring: object };
