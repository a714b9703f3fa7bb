/**
 * The client that an adapter serves, with an answer for each operation that the client lacks.
 *
 * @module
 */

import type { Client } from "../core/client.ts";
import { UnsupportedError } from "../core/errors.ts";
import type { Parley } from "../core/parley.ts";
import { readerPages } from "./live/reader_pages.ts";

/** What the routes call: the operations of a client, and what a `Parley` has in addition. */
export interface ServedClient extends Client, Pick<Parley, "readStreamPages" | "spent" | "sweep" | "wake"> {
  /** Whether values must be decoded before the client takes them. Only a `Parley` takes them as they came. */
  readonly needsDecoded?: boolean;
}

type Operation = Exclude<keyof ServedClient, "spent" | "needsDecoded">;

/**
 * Completes a client. A `Parley` is complete, and is returned as it is. An operation that the client
 * lacks throws an `UnsupportedError`. Pages of a stream are made from `readStream`.
 */
export function toServedClient(client: Partial<ServedClient>): ServedClient {
  if (client.readStreamPages && client.spent && client.sweep && client.wake) return client as ServedClient;
  const additions: Partial<ServedClient> = {
    needsDecoded: true,
    // It never aborts, because such a client counts no requests. Workers allow no signal to be made
    // while a module is loaded.
    spent: new AbortController().signal,
    readStreamPages: (workflowId, key, options) => readerPages(served, workflowId, key, options),
  };
  // The target is another object, because a proxy must hand out the members of a frozen target as they are.
  const served = new Proxy({} as ServedClient, {
    get(_, name: keyof ServedClient) {
      const owner = client[name] === undefined ? additions : client;
      return name === "spent" || name === "needsDecoded" ? owner[name] : operationOf(owner, name);
    },
  });
  return served;
}

/** An operation of a client. If the client lacks it, calling it throws an `UnsupportedError`. */
export function operationOf<Name extends Operation>(
  client: Partial<Pick<ServedClient, Name>>,
  name: Name,
): ServedClient[Name] {
  const operation = client[name] as ServedClient[Name] | undefined ?? (() => {
    throw new UnsupportedError(`The client behind this server has no operation ${name}`);
  });
  return operation.bind(client) as ServedClient[Name];
}
