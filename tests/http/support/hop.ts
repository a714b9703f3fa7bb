/**
 * A harness whose adapter serves a client of another adapter, in place of a `Parley`.
 *
 * @module
 */

import type { Harness, MakeHarness } from "../../../conformance/mod.ts";
import { connect } from "../../../http/client/client.ts";
import { bearer, parleyHttp } from "../../../http/mod.ts";
import type { Client, Parley } from "../../../mod.ts";

/** A harness that says which client its adapters serve. */
export interface ClientHarness extends Harness {
  /** The client of a `Parley` to serve. */
  clientOf(parley: Parley): Partial<Client>;
}

/** Connects to an adapter of a client, in this process. */
export function connected(parley: Partial<Client>): Client {
  const inner = parleyHttp({ parley, auth: bearer("inner"), onError: () => {} });
  return connect({
    url: "http://inner.example",
    token: "inner",
    fetch: async (url, init) => await inner.request(url, init),
    onError: () => {},
  });
}

/** Makes harnesses whose adapters serve another client. */
export function serving(makeHarness: MakeHarness, clientOf: ClientHarness["clientOf"]): MakeHarness {
  return async () => Object.assign(await makeHarness(), { clientOf });
}
