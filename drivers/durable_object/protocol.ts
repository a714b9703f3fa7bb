/**
 * What travels between a Worker and an object.
 *
 * @module
 */

import type { MethodName } from "../sqlite/methods.ts";
import type { Failure } from "./failure.ts";

/** A call of a method of the contract. */
export interface ObjectCall {
  /** The object's name, which the object does not always know by itself. */
  readonly object: string;
  readonly method: MethodName | "migrate";
  readonly args: readonly unknown[];
}

/** The answer to a call. An error is a value, because the platform changes errors that are thrown. */
export type ObjectAnswer = { readonly value: unknown } | { readonly failure: Failure };

/** An object, as its Worker sees it. */
export interface ObjectStub {
  parley(call: ObjectCall): Promise<ObjectAnswer>;
  fetch(url: string, init: RequestInit): Promise<Response & { webSocket?: ClientSocket | null }>;
}

/** The Worker's end of a socket. */
export interface ClientSocket extends EventTarget {
  accept(): void;
  send(message: string): void;
  close(code?: number, reason?: string): void;
}

/** The entry point of a Worker that continues workflows, as an object sees it. */
export interface EntrypointStub {
  continueDue(due: DueObject): Promise<Continued>;
}

/**
 * What an object tells its Worker when workflows are due.
 *
 * @category Object
 */
export interface DueObject {
  /** The object's name. */
  readonly object: string;
  /** The store's time, in epoch milliseconds. */
  readonly now: number;
}

/**
 * The answer of an entry point. It comes before the work has begun.
 *
 * @category Object
 */
export interface Continued {
  /** The next occurrence of a schedule, in epoch milliseconds; `null` if there is none. */
  readonly nextAt: number | null;
}

/** The path of subscriptions. The parameter `target` names what to watch. */
export const WATCH_URL = "https://parley.object/watch";

/** A message of a Worker that keeps its socket alive, and the answer, which does not wake the object. */
export const PING = "ping";
export const PONG = "pong";

/** How often a Worker sends {@linkcode PING}, in milliseconds. */
export const PING_MS = 45_000;
