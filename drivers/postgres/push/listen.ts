/**
 * What can listen to channels of the database, and how.
 *
 * @module
 */

import type { Clock } from "../../../core/time/clock.ts";
import { ValidationError } from "../../../core/errors.ts";
import { withTimeLimit } from "../../../core/time/time_limit.ts";
import type { ListeningEvents, OpenListening } from "./push.ts";
import { GUIDE } from "../queryable.ts";
import { Session, type SessionClient } from "./session.ts";
import type { RunQuery } from "../calls/sql_calls.ts";

/**
 * Listens to a channel of the database, with `LISTEN`. `sql.listen` of postgres.js and of Bun has
 * this shape.
 *
 * @param channel The channel. It is an identifier that needs no quotes.
 * @param onNotification Call it with the text of each notification.
 * @param onListen Call it each time that the connection begins to listen, also when it listens
 * again after a lost connection. The call is optional.
 * @returns A subscription that ends with `unlisten`.
 *
 * @category Driver
 */
export type Listen = (
  channel: string,
  onNotification: (payload: string) => void,
  onListen: () => void,
) => Promise<{ unlisten(): unknown }>;

/** What a connection that listens uses. */
export interface ListenOptions {
  /** Sends the statements that keep the listener registered. */
  readonly query: RunQuery;
  /** How long opening may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** How long a subscription may take to end, in milliseconds. */
const MAX_UNLISTEN_MS = 1_000;

/**
 * Makes a function that opens connections.
 *
 * @param source A function that listens, or a client that can.
 * @throws {ValidationError} If the client cannot listen, or connects through Hyperdrive.
 */
export function listenThrough(source: unknown, options: ListenOptions): OpenListening {
  if (isPool(source)) {
    refuseHyperdrive(source);
    return listenOverPool(source, options);
  }
  // PGlite takes a transaction as the third argument, and returns a function.
  if (isPGlite(source)) {
    return subscribe(async (channel, notified) => ({ unlisten: await source.listen(channel, notified) }), options);
  }
  if (hasListen(source)) return subscribe((...args) => source.listen(...args), options);
  if (typeof source === "function") return subscribe(source as Listen, options);
  throw new ValidationError(
    "Using a Postgres client with `listen`: the client cannot listen by itself; `listen` must be a Pool of " +
      `node-postgres, a PGlite or a function; ${GUIDE}`,
  );
}

/**
 * A `Pool` of node-postgres. These members are public, but the package's types leave one of them
 * out.
 */
interface Pool {
  readonly Client: new (options: object) => SessionClient & { connection?: { stream?: { destroy?: () => void } } };
  readonly options: object;
}

function isPool(source: unknown): source is Pool {
  return typeof member(source, "Client") === "function" && typeof member(source, "options") === "object";
}

/** A host that Cloudflare's Hyperdrive gives a Worker, by itself or in a connection string. */
const HYPERDRIVE = /^([^/]*\/\/[^/]*@)?[^/@:]+\.hyperdrive\.local(?=[:/]|$)/;

/**
 * Hyperdrive passes no notifications on. On a developer's machine it does, so that only the deployed
 * Worker would poll.
 */
function refuseHyperdrive({ options }: Pool): void {
  const addresses = [member(options, "connectionString"), member(options, "host")];
  if (!addresses.some((address) => typeof address === "string" && HYPERDRIVE.test(address))) return;
  throw new ValidationError(
    "Using a Postgres client with `listen`: its connections go through Hyperdrive, which passes no notifications " +
      "on; leave `listen` out, and waits poll",
  );
}

interface PGlite {
  listen(channel: string, onNotification: (payload: string) => void): Promise<() => Promise<void>>;
}

function isPGlite(source: unknown): source is PGlite {
  return hasListen(source) && typeof member(source, "onNotification") === "function";
}

function hasListen(source: unknown): source is { listen: Listen } {
  return typeof member(source, "listen") === "function";
}

function member(source: unknown, name: string): unknown {
  const isHolder = typeof source === "object" && source !== null || typeof source === "function";
  return isHolder ? Reflect.get(source, name) : undefined;
}

/**
 * Opens a separate connection with the options of the pool. A connection of the pool would be
 * missing there, and the pool could not end.
 */
function listenOverPool({ Client, options }: Pool, { query, timeoutMs, clock }: ListenOptions): OpenListening {
  return async (channels, { notified }, stop) => {
    const client = new Client(options);
    // The package's own `end` waits for a server that may be gone.
    const destroy = () => client.connection?.stream?.destroy?.();
    const session = await Session.listen({ client, destroy, timeoutMs, clock, notified }, channels, stop);
    return { query, lost: session.lost, close: () => session.close() };
  };
}

function subscribe(listen: Listen, options: ListenOptions): OpenListening {
  return async (channels, events, stop) => {
    const subscriptions: Subscription[] = [];
    const close = async () => void await Promise.all(subscriptions.map((it) => unlisten(it, options)));
    try {
      for (const channel of channels) subscriptions.push(await subscribeTo(listen, channel, events, options, stop));
    } catch (error) {
      await close();
      throw error;
    }
    // A client that loses its connection listens again by itself, or the next beat fails.
    return { query: options.query, lost: new AbortController().signal, close };
  };
}

async function subscribeTo(
  listen: Listen,
  channel: string,
  { notified, resumed }: ListeningEvents,
  { timeoutMs, clock }: ListenOptions,
  stop: AbortSignal,
): Promise<Subscription> {
  let isListening = false;
  const onListen = () => {
    if (isListening) resumed();
    isListening = true;
  };
  const onNotification = (text: string) => notified(text, channel);
  const opening = Promise.resolve().then(() => listen(channel, onNotification, onListen)).then(checkSubscription);
  const limit = { ms: timeoutMs, clock, stop, error: () => new Error(`nothing within ${timeoutMs} ms`) };
  return await withTimeLimit(limit, () => opening).catch((error) => {
    opening.then((late) => late.unlisten()).catch(() => {});
    throw error;
  });
}

async function unlisten(subscription: Subscription, { clock }: ListenOptions): Promise<void> {
  const limit = { ms: MAX_UNLISTEN_MS, clock, error: () => new Error("no answer") };
  await withTimeLimit(limit, async () => void await subscription.unlisten()).catch(() => {});
}

/** A subscription to one channel. */
interface Subscription {
  unlisten(): unknown;
}

/** Types do not help callers in JavaScript. */
function checkSubscription(subscription: unknown): Subscription {
  const unlisten = member(subscription, "unlisten");
  if (typeof unlisten === "function") return { unlisten: () => Reflect.apply(unlisten, subscription, []) };
  throw new ValidationError(
    `Using a Postgres client with \`listen\`: it must answer with { unlisten }; ${GUIDE}`,
  );
}
