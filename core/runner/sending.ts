/**
 * Sends messages from outside of a workflow.
 *
 * @module
 */

import type { SendReceipt } from "../channel.ts";
import { type Recipient, refusalError, type takeMessage } from "../context/messages.ts";
import type { NewMessage } from "../driver/driver.ts";
import type { Runner } from "./runner.ts";

/** Sends all messages or none, and continues the workflows that they make due. */
export async function sendAll(
  runner: Runner,
  recipients: Recipient[],
  taken: ReturnType<typeof takeMessage>[],
): Promise<SendReceipt[]> {
  const observed = runner.observing?.send(recipients);
  try {
    const prepared = taken.map((prepare) => prepare(undefined, observed?.traceparent));
    const receipts = await sendMessages(runner, recipients, await Promise.all(prepared));
    observed?.end({ messageIds: receipts.map(({ messageId }) => messageId) });
    return receipts;
  } catch (error) {
    observed?.fail(error);
    throw error;
  }
}

async function sendMessages(
  runner: Runner,
  recipients: Recipient[],
  messages: NewMessage[],
): Promise<SendReceipt[]> {
  if (messages.length > 1) runner.values.checkTravel(messages.map(({ value }) => value), "list of messages");
  const result = await runner.driver.send(messages);
  if (result.state === "refused") throw refusalError(result.reason, recipients[result.index]!, result.status);
  runner.hints.notify(recipients.map(({ workflowId }) => `inbox:${workflowId}` as const));
  if (result.woken.length > 0) runner.wake(result.woken);
  return result.receipts;
}
