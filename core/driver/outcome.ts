/**
 * The outcomes of operations. Types only. See `driver.ts` for the terms.
 *
 * @module
 */

/**
 * The outcome of an operation.
 *
 * | `tag` | operation | `value` |
 * | --- | --- | --- |
 * | `value` | record, observeEvent, observeResult | the encoded value |
 * | `error` | record, also of a refusal; observeResult if the workflow failed | the encoded error, or `null` |
 * | `done` | setEvent, writeStream, closeStream, sleep | |
 * | `done` | start | the ID of the started workflow |
 * | `message` | receive | the encoded message; `topic` is its topic |
 * | `sent` | send | the ID of the message |
 * | `duplicate` | send | the ID of the first message with the key |
 * | `timeout` | receive, observeEvent, observeResult | |
 * | `withdrawn` | record, in place of an outcome of receive, observeEvent or observeResult | the encoded reason |
 * | `cancelled` | observeResult if the workflow was cancelled | |
 * | `workflow_not_found` | send; observeEvent, observeResult with `started` if the workflow is gone | |
 * | `workflow_ended` | send; observeEvent if the workflow has ended without the event | the status |
 * | `idempotency_conflict` | send | |
 * | `workflow_conflict` | start if the ID exists under another name | |
 * | `stream_closed` | writeStream, closeStream | |
 *
 * @category Workflows and journals
 */
export interface Outcome {
  /** The kind of outcome. */
  tag: OutcomeTag;
  /** The value that the table gives for the tag. */
  value?: string | null;
  /** The topic of a received message. */
  topic?: string | null;
}

/**
 * The tag of an {@linkcode Outcome}.
 *
 * @category Workflows and journals
 */
export type OutcomeTag =
  | "value"
  | "error"
  | "done"
  | "message"
  | "sent"
  | "duplicate"
  | "timeout"
  | "withdrawn"
  | "cancelled"
  | Refusal;

/**
 * Why a send, a start, or a write or close of a stream was refused. Each is also a code of
 * `ParleyError`.
 *
 * @category Messages
 */
export type Refusal =
  | "workflow_not_found"
  | "workflow_ended"
  | "idempotency_conflict"
  | "workflow_conflict"
  | "stream_closed";
