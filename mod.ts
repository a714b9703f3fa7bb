/**
 * Durable messages, events and streams for workflows, at the edge.
 *
 * - A **workflow** is code that continues where it was after a crash, a deploy or a long wait.
 * - A **message** is sent to one workflow, and received once.
 * - An **event** is a named value of a workflow. Readers wait for it, or watch it change.
 * - A **stream** is a list of values that a workflow appends to. Readers follow it live.
 *
 * @example A workflow that receives a message, sets an event and writes a stream
 * ```ts
 * import { event, memoryDriver, Parley, stream, topic, workflow } from "@parley/parley";
 * import assert from "node:assert/strict";
 *
 * const payment = topic<{ paid: boolean }>("payment");
 * const state = event<"waiting" | "shipped">("state");
 * const log = stream<string>("log");
 *
 * const checkout = workflow("checkout", async (ctx, item: string) => {
 *   await ctx.setEvent(state, "waiting");
 *   const { paid } = await ctx.recv(payment, { timeout: "5m" });
 *   await ctx.writeStream(log, paid ? "paid" : "declined");
 *   await ctx.setEvent(state, "shipped");
 *   return `${item} is on its way`;
 * });
 *
 * await using parley = new Parley({ driver: memoryDriver(), workflows: [checkout] });
 * const order = await parley.start(checkout, "A lamp");
 * await order.send({ paid: true }, { topic: payment });
 * assert.deepEqual(await Array.fromAsync(order.readStream(log)), ["paid"]);
 * assert.equal(await order.getEvent(state), "shipped");
 * assert.equal(await order.result(), "A lamp is on its way");
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
  ListOptions,
  OutgoingMessage,
  OutgoingMessages,
  StartedHandle,
  StartOptions,
  WaitInfo,
  WorkflowHandle,
  WorkflowInfo,
  WorkflowPage,
} from "./core/client.ts";
export type {
  EventInfo,
  HistoryEntry,
  HistoryOptions,
  HistoryPage,
  MessageInfo,
  MessagePage,
  MessagesOptions,
  StreamInfo,
} from "./core/inspection.ts";
export type {
  EventEntry,
  EventReader,
  ReadStreamOptions,
  ReadStreamPagesOptions,
  StreamPage,
  StreamReader,
  WatchEventOptions,
} from "./core/readers.ts";
export type { Clock } from "./core/time/clock.ts";
export { type Codec, devalueCodec } from "./core/values/codec.ts";
export type { WorkflowStatus } from "./core/driver/driver.ts";
export type { Duration } from "./core/values/checks.ts";
export {
  ContextError,
  DriverError,
  FatalError,
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
  UnsupportedError,
  ValidationError,
  ValueTooLargeError,
  VersionOutOfRangeError,
  WorkflowActiveError,
  WorkflowCancelledError,
  WorkflowConflictError,
  WorkflowEndedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from "./core/errors.ts";
export type {
  CommitEnd,
  Ended,
  EndObserver,
  HistoryKind,
  ObservedCommit,
  ObservedMessage,
  ObservedOperation,
  ObservedRequest,
  ObservedRun,
  ObservedSend,
  ObservedStart,
  ObservedStep,
  ObservedSweep,
  Observer,
  OperationEnd,
  OperationKind,
  RequestEnd,
  RunEnd,
  RunEndInfo,
  RunObserver,
  SendEnd,
  SendObserver,
  StartEnd,
  StepEnd,
  StepObserver,
  SweepEnd,
} from "./core/observer.ts";
export type { ParleyOptions } from "./core/options.ts";
export { Parley } from "./core/parley.ts";
export { type Schedule, schedule, type ScheduleOptions } from "./core/schedule.ts";
export type { SweepResult, Wake } from "./core/runner/runner.ts";
export type { AnySchema, StandardSchemaV1 } from "./core/standard_schema.ts";
export type { SerializedError } from "./core/values/serialized_error.ts";
export {
  type ChildHandle,
  type Results,
  type StartArguments,
  type Workflow,
  workflow,
  type WorkflowContext,
  type WorkflowOptions,
} from "./core/workflow.ts";
export { memoryDriver } from "./drivers/memory/mod.ts";
export type { MessageOf, Received, ReceivedFrom, TopicChoice, WaitOptions } from "./core/wait_options.ts";
export type { StepContext, StepOptions } from "./core/step_context.ts";
