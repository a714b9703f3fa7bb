/**
 * Where the adapter of a suite runs: in this process, or wherever the harness says.
 *
 * @module
 */

import type { Hono } from "hono";
import { parleyHttp, type ParleyHttpOptions } from "../../../http/mod.ts";
import { Parley } from "../../../mod.ts";
import type { Harness } from "../../../conformance/mod.ts";
import type { ClientHarness } from "./hop.ts";
import { hooks, type HookSettings } from "./hooks.ts";

/** A harness whose adapter runs elsewhere, over the same store. */
export interface RemoteHarness extends Harness {
  /** An app that passes requests on to an adapter with these options; with those of them that can be told. */
  mount(options: Partial<ParleyHttpOptions>): Hono;
  /** An app that passes requests on to the providers' webhooks. */
  mountHooks(settings: HookSettings): Hono;
}

/** The adapter, with its options in place of the defaults. */
export function mount(harness: Harness, defaults: ParleyHttpOptions, options: Partial<ParleyHttpOptions>): Hono {
  if (isRemote(harness)) return harness.mount(options);
  const { parley } = defaults;
  const client = "clientOf" in harness && parley instanceof Parley
    ? (harness as ClientHarness).clientOf(parley)
    : parley;
  return parleyHttp({ ...defaults, parley: client, ...options });
}

/** The providers' webhooks. */
export function mountHooks(harness: Harness, parley: Parley, settings: HookSettings): Hono {
  return isRemote(harness) ? harness.mountHooks(settings) : hooks(parley, settings);
}

function isRemote(harness: Harness): harness is RemoteHarness {
  return "mount" in harness;
}
