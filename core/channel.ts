/**
 * Typed channels for messages, events and streams. A channel is a name with a type, and may have a
 * schema that checks its values.
 *
 * @module
 */

import type { AnySchema, StandardSchemaV1 } from "./standard_schema.ts";
import { quote } from "./errors.ts";
import { checkName, checkSchema } from "./values/checks.ts";

/**
 * A queue of messages to a workflow. Create it with {@linkcode topic}.
 *
 * @category Messages
 */
export interface Topic<out T, out Name extends string = string, out In = T> extends Channel<T, In> {
  /** The kind of channel. */
  readonly kind: "topic";
  /** The topic's name. */
  readonly name: Name;
}

/**
 * An event of a workflow, which is a value that can be replaced. Create it with {@linkcode event}.
 *
 * @category Events
 */
export interface EventKey<out T, out In = T> extends Channel<T, In> {
  /** The kind of channel. */
  readonly kind: "event";
}

/**
 * A stream of a workflow, to which values are appended. Create it with {@linkcode stream}.
 *
 * @category Streams
 */
export interface StreamKey<out T, out In = T> extends Channel<T, In> {
  /** The kind of channel. */
  readonly kind: "stream";
}

/**
 * The members of all channels. `T` is what receivers and readers get, and `In` what senders give. The
 * two differ only if a schema transforms values or fills in defaults.
 *
 * @category Messages
 */
export interface Channel<out T, out In = T> {
  /** The channel's name, 1 to 255 characters. */
  readonly name: string;
  /** Checks values before they are stored. See {@linkcode topic} for the exception. */
  readonly schema?: StandardSchemaV1<In, T>;
  /** The type of the channel's values, for the type checker alone. Absent at run time. */
  readonly "~type"?: T;
  /** The type that senders give, for the type checker alone. Absent at run time. */
  readonly "~input"?: In;
}

/**
 * Defines a topic. This does no I/O, so call it at module level.
 *
 * @param name The topic's name, 1 to 255 characters.
 * @param schema Any Standard Schema, such as one of Valibot, Zod, ArkType or Effect. It types both
 * ends, and checks each message once. The check happens at the sender, or in `recv` if the sender
 * used only the topic's name, as over HTTP. `send` takes the schema's input, and the workflow
 * receives its output. An asynchronous schema must settle within 10 s.
 * @returns The topic, for `send`, `recv` and `recvAny`.
 * @throws {ValidationError} If the name is not legal, or the schema is not a Standard Schema.
 *
 * @example A topic whose messages are checked
 * ```ts
 * import { topic } from "@parley/parley";
 * import * as v from "valibot";
 *
 * const payment = topic("payment", v.object({ paid: v.boolean() }));
 * ```
 *
 * @category Messages
 */
export function topic<T, const Name extends string = string, In = T>(
  name: Name,
  schema?: AnySchema<In, T>,
): Topic<T, Name, In> {
  checkName(name, "topic");
  checkSchema(schema, `topic ${quote(name)}`);
  return { kind: "topic", name, ...(schema && { schema: schema as StandardSchemaV1<In, T> }) };
}

/**
 * Defines an event. This does no I/O, so call it at module level.
 *
 * @param name The event's key, 1 to 255 characters.
 * @param schema Any Standard Schema. It checks each value before it is set. `setEvent` takes the
 * schema's input, and `getEvent` returns its output. An asynchronous schema must settle within 10 s.
 * @returns The event, for `setEvent`, `getEvent` and `watchEvent`.
 * @throws {ValidationError} If the name is not legal, or the schema is not a Standard Schema.
 *
 * @example An event that holds a URL
 * ```ts
 * import { event } from "@parley/parley";
 *
 * const paymentUrl = event<string>("payment-url");
 * ```
 *
 * @category Events
 */
export function event<T, In = T>(name: string, schema?: AnySchema<In, T>): EventKey<T, In> {
  checkName(name, "event key");
  checkSchema(schema, `event ${quote(name)}`);
  return { kind: "event", name, ...(schema && { schema: schema as StandardSchemaV1<In, T> }) };
}

/**
 * Defines a stream. This does no I/O, so call it at module level.
 *
 * @param name The stream's key, 1 to 255 characters.
 * @param schema Any Standard Schema. It checks each value before it is written. `writeStream` takes
 * the schema's input, and readers get its output. An asynchronous schema must settle within 10 s.
 * @returns The stream, for `writeStream`, `closeStream`, `writable` and `readStream`.
 * @throws {ValidationError} If the name is not legal, or the schema is not a Standard Schema.
 *
 * @example A stream of progress reports
 * ```ts
 * import { stream } from "@parley/parley";
 *
 * const progress = stream<{ percent: number }>("progress");
 * ```
 *
 * @category Streams
 */
export function stream<T, In = T>(name: string, schema?: AnySchema<In, T>): StreamKey<T, In> {
  checkName(name, "stream key");
  checkSchema(schema, `stream ${quote(name)}`);
  return { kind: "stream", name, ...(schema && { schema: schema as StandardSchemaV1<In, T> }) };
}

/** Returns the channel for an operation's argument, which is a definition or a bare name. */
export function toChannel<T, In>(channel: Channel<T, In> | string, what: string): Channel<T, In> {
  if (typeof channel !== "string") return channel;
  checkName(channel, what);
  return { name: channel };
}

/**
 * Returns the topic for an operation's argument. Without an argument, or for `""`, it is the queue
 * of messages without a topic.
 */
export function toTopic<T, In>(topic: Channel<T, In> | string | undefined): Channel<T, In> {
  return topic === undefined || topic === "" ? { name: "" } : toChannel(topic, "topic");
}

/** The topics that are known here, by name. An operation may name them by a string. */
export type Topics = ReadonlyMap<string, Channel<unknown, unknown>>;

/** Returns the topic that is known under the name of one without a schema, if there is one. */
export function knownTopic<T, In>(topic: Channel<T, In>, topics: Topics): Channel<unknown, unknown> {
  return topic.schema ? topic : topics.get(topic.name) ?? topic;
}

/**
 * Options of `send`. `T` is the type of the message.
 *
 * @category Messages
 */
export interface SendOptions<T> {
  /** The queue. Default the queue of messages without a topic. */
  topic?: Topic<unknown, string, T> | string;
  /**
   * A key that identifies the message, 1 to 255 characters. A later send with the same destination
   * and key is a duplicate and sends nothing. The destination remembers the key for its whole life,
   * even after the message was received.
   */
  idempotencyKey?: string;
  /**
   * The trace that the message belongs to, as a W3C `traceparent`. It travels with the message to
   * the observer of the run that receives it. Default the trace that the observer of the sender
   * gives, if there is one. With such an observer, this is the parent of the span of the send.
   */
  traceparent?: string;
}

/**
 * What `send` returns.
 *
 * @category Messages
 */
export interface SendReceipt {
  /** The message's ID. For a duplicate, the ID of the first message. */
  messageId: string;
  /** Whether the idempotency key was used before. If so, nothing was sent now. */
  duplicate: boolean;
}
