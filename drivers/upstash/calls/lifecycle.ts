/**
 * Calls from outside that change workflows: `create`, `send` and `control`.
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
import { OWN_KINDS } from "../keys.ts";
import type { ScriptCalls } from "../script_calls.ts";
import { expire } from "./purge.ts";

/** `Driver.create`. */
export async function create(calls: ScriptCalls, request: CreateRequest): Promise<CreateResult> {
  const { keys } = calls;
  return await calls.call("create", [...keys.shared, ...keys.of(request.workflowId)], request);
}

/** `Driver.send`. */
export async function send(calls: ScriptCalls, messages: readonly NewMessage[]): Promise<SendResult> {
  if (messages.length === 0) return { state: "sent", receipts: [], woken: [] };
  const { keys } = calls;
  const own = messages.flatMap(({ destinationId }) => keys.of(destinationId, "inbox", "sent"));
  return await calls.call("send", [...keys.shared, ...own], { messages });
}

/** `Driver.control`. */
export async function control(
  calls: ScriptCalls,
  request: { workflowId: string; action: "cancel" | "resume" },
): Promise<ControlResult> {
  const { keys } = calls;
  const answer = await calls.call<ControlResult & { expiring?: string[] }>(
    "control",
    [...keys.shared, ...keys.of(request.workflowId, ...OWN_KINDS)],
    request,
  );
  const { expiring = [], ...result } = answer;
  await expire(calls, expiring);
  return result;
}
