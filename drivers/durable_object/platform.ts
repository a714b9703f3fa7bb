/**
 * The parts of Cloudflare's runtime that this driver uses. Types only.
 *
 * @module
 */

import type { SqliteObjectStorage } from "../sqlite/database.ts";

/**
 * The namespace of the objects, such as `env.PARLEY`: a binding to a class that is or extends
 * `ParleyObject`.
 *
 * @category Driver
 */
export interface ObjectNamespace {
  /** Returns the ID of the object with a name. */
  idFromName(name: string): unknown;
  /** Makes a stub for an object. This makes no request. */
  // deno-lint-ignore no-explicit-any -- an ID has a class of the platform
  get(id: any, options?: any): unknown;
}

/**
 * The first parameter of the constructor of a Durable Object, as far as `ParleyObject` uses it.
 *
 * @category Object
 */
export interface ObjectContext {
  /** The object's ID. */
  readonly id: { readonly name?: string | undefined };
  /** Its storage, which must be SQLite. */
  readonly storage: ObjectStorage;
  /** The exports of the Worker, on compatibility dates from 2025-11-17 on. */
  // deno-lint-ignore no-explicit-any -- its type depends on the Worker
  readonly exports?: any;
  /** Keeps the object in memory until a promise settles. */
  waitUntil(work: Promise<unknown>): void;
  /** Holds all events back until a function has ended. */
  blockConcurrencyWhile<T>(run: () => Promise<T>): Promise<T>;
  /** Takes a socket over, which then outlives the object's time in memory. */
  // deno-lint-ignore no-explicit-any -- a socket has a class of the platform
  acceptWebSocket(socket: any, tags?: string[]): void;
  /** Returns the open sockets with a tag. */
  // deno-lint-ignore no-explicit-any -- a socket has a class of the platform
  getWebSockets(tag?: string): any[];
  /** Answers messages without waking the object up. */
  // deno-lint-ignore no-explicit-any -- a pair has a class of the platform
  setWebSocketAutoResponse(pair?: any): void;
  /** Returns when a socket was last answered so. */
  // deno-lint-ignore no-explicit-any -- a socket has a class of the platform
  getWebSocketAutoResponseTimestamp(socket: any): Date | null;
}

/**
 * The storage of an object, as far as `ParleyObject` uses it.
 *
 * @category Object
 */
export interface ObjectStorage extends SqliteObjectStorage {
  /** Returns the time of the alarm, in epoch milliseconds. */
  getAlarm(): Promise<number | null>;
  /** Sets the alarm, in epoch milliseconds. */
  setAlarm(at: number): Promise<void>;
}

/** A socket that an object has accepted. */
export interface ObjectSocket {
  send(message: string): void;
  close(code?: number, reason?: string): void;
  serializeAttachment(value: unknown): void;
  deserializeAttachment(): unknown;
}
