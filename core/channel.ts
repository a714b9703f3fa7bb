/**
 * Typed channels: a name, and with a schema also what may be sent through it.
 *
 * @module
 */

import type { StandardSchemaV1 } from "./standard_schema.ts";
import { quote } from "./errors.ts";
import { checkName, checkSchema } from "./values/checks.ts";

/**
 * A queue of messages of a workflow. Made with {@linkcode topic}.
 *
 * @category Messages
 */
export interface Topic<out T, out Name extends string = string> extends Channel<T> {
  /** Which kind of channel it is. */
  readonly kind: "topic";
  /** The topic's name. */
  readonly name: Name;
}

/**
 * An event of a workflow: a value that can be replaced. Made with {@linkcode event}.
 *
 * @category Events
 */
export interface EventKey<out T> extends Channel<T> {
  /** Which kind of channel it is. */
  readonly kind: "event";
}

/**
 * A stream of a workflow: values that are appended. Made with {@linkcode stream}.
 *
 * @category Streams
 */
export interface StreamKey<out T> extends Channel<T> {
  /** Which kind of channel it is. */
  readonly kind: "stream";
}

/**
 * What all channels have.
 *
 * @category Messages
 */
export interface Channel<out T> {
  /** The channel's name: 1 to 255 characters. */
  readonly name: string;
  /** Checks what is sent, where it is sent. */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /** The type of its values. Only for the type checker; never there at run time. */
  readonly "~type"?: T;
}

/**
 * Defines a topic. Pure: no I/O, so it belongs at module level.
 *
 * @param name Its name, 1 to 255 characters.
 * @param schema Any Standard Schema (Valibot, Zod, ArkType). It types both ends, and checks every message once: at the sender, or in `recv` where the
 *   message came by the topic's name alone, as over HTTP. What it returns is what the workflow gets. One that is asynchronous must settle within 10 s.
 * @returns The topic, for `send`, `recv` and `recvAny`.
 * @throws {ValidationError} If the name is not legal, or the schema is no Standard Schema.
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
export function topic<T, const Name extends string = string>(
  name: Name,
  schema?: StandardSchemaV1<unknown, T>,
): Topic<T, Name> {
  checkName(name, "topic");
  checkSchema(schema, `topic ${quote(name)}`);
  return { kind: "topic", name, ...(schema && { schema }) };
}

/**
 * Defines an event. Pure: no I/O, so it belongs at module level.
 *
 * @param name Its key, 1 to 255 characters.
 * @param schema Any Standard Schema. It checks every value where it is set, within 10 s.
 * @returns The event, for `setEvent`, `getEvent` and `watchEvent`.
 * @throws {ValidationError} If the name is not legal, or the schema is no Standard Schema.
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
export function event<T>(name: string, schema?: StandardSchemaV1<unknown, T>): EventKey<T> {
  checkName(name, "event key");
  checkSchema(schema, `event ${quote(name)}`);
  return { kind: "event", name, ...(schema && { schema }) };
}

/**
 * Defines a stream. Pure: no I/O, so it belongs at module level.
 *
 * @param name Its key, 1 to 255 characters.
 * @param schema Any Standard Schema. It checks every value where it is written, within 10 s.
 * @returns The stream, for `writeStream`, `closeStream`, `writable` and `readStream`.
 * @throws {ValidationError} If the name is not legal, or the schema is no Standard Schema.
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
export function stream<T>(name: string, schema?: StandardSchemaV1<unknown, T>): StreamKey<T> {
  checkName(name, "stream key");
  checkSchema(schema, `stream ${quote(name)}`);
  return { kind: "stream", name, ...(schema && { schema }) };
}

/** A channel given by its definition or by its bare name, as every operation takes it. */
export function toChannel<T>(channel: Channel<T> | string, what: string): Channel<T> {
  if (typeof channel !== "string") return channel;
  checkName(channel, what);
  return { name: channel };
}

/** The topic of an operation. None, and the empty name, are the queue of messages without a topic. */
export function toTopic<T>(topic: Channel<T> | string | undefined): Channel<T> {
  return topic === undefined || topic === "" ? { name: "" } : toChannel(topic, "topic");
}

/**
 * Options of `send`.
 *
 * @category Messages
 */
export interface SendOptions<T> {
  /** Which queue. Default the one of messages without a topic. */
  topic?: Topic<T> | string;
  /** Makes the message once per destination and key, for the life of the workflow, also after it was received; 1 to 255 characters. */
  idempotencyKey?: string;
}

/**
 * What `send` returns.
 *
 * @category Messages
 */
export interface SendReceipt {
  /** The message's ID; of the first one, if this is a duplicate. */
  messageId: string;
  /** Whether the idempotency key was used before, so that nothing was sent now. */
  duplicate: boolean;
}
