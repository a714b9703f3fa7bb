/**
 * Durable messages, events and streams for workflows, at the edge.
 *
 * @example A workflow that waits for a message
 * ```ts
 * import { memoryDriver, Parley, topic, workflow } from "@parley/parley";
 *
 * const payment = topic<{ paid: boolean }>("payment");
 * const checkout = workflow("checkout", async (ctx, item: string) => {
 *   const { paid } = await ctx.recv(payment, { timeout: "5m" });
 *   return paid ? `${item} is on its way` : `${item} is back on the shelf`;
 * });
 *
 * await using parley = new Parley({ driver: memoryDriver(), workflows: [checkout] });
 * const order = await parley.start(checkout, "A lamp");
 * await order.send({ paid: true }, { topic: payment });
 * console.log(await order.result()); // A lamp is on its way
 * ```
 *
 * @module
 */

export {
  type Channel,
  event,
  type EventKey,
  type SendOptions,
  type SendReceipt,
  stream,
  type StreamKey,
  type Topic,
  topic,
} from "./core/channel.ts";
export type {
  Client,
  EventEntry,
  EventReader,
  ListOptions,
  OutgoingMessage,
  ReadStreamOptions,
  ReadStreamPagesOptions,
  StartedHandle,
  StartOptions,
  StreamPage,
  StreamReader,
  WaitInfo,
  WaitOptions,
  WatchEventOptions,
  WorkflowHandle,
  WorkflowInfo,
  WorkflowPage,
} from "./core/client.ts";
export type { Clock } from "./core/time/clock.ts";
export { type Codec, devalueCodec } from "./core/values/codec.ts";
export type { Driver, WorkflowStatus } from "./core/driver/driver.ts";
export type { Duration } from "./core/values/checks.ts";
export {
  ContextError,
  DriverError,
  IdempotencyConflictError,
  LeaseLostError,
  NonDeterminismError,
  OffsetOutOfRangeError,
  ParleyError,
  type ParleyErrorCode,
  StreamClosedError,
  TimeoutError,
  UnknownWorkflowError,
  UnreadableValueError,
  ValidationError,
  ValueTooLargeError,
  VersionOutOfRangeError,
  WorkflowCancelledError,
  WorkflowConflictError,
  WorkflowEndedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from "./core/errors.ts";
export type { ParleyOptions } from "./core/options.ts";
export { Parley } from "./core/parley.ts";
export type { SweepResult, Wake } from "./core/runner/runner.ts";
export type { StandardSchemaV1 } from "./core/standard_schema.ts";
export type { SerializedError } from "./core/values/serialized_error.ts";
export {
  type ChildHandle,
  type Received,
  type ReceivedFrom,
  type Results,
  type StepContext,
  type StepOptions,
  type Workflow,
  workflow,
  type WorkflowContext,
  type WorkflowOptions,
} from "./core/workflow.ts";
export { memoryDriver } from "./drivers/memory/mod.ts";
