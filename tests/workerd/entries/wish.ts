/**
 * The settings that a request of the suites sends to the worker. They have a file of their own,
 * because all exports of a worker's module must be handlers.
 *
 * @module
 */

import type { ParleyHttpOptions } from "@parley/parley/http";
import type { neonDriver } from "@parley/parley/neon";
import type { upstashDriver } from "@parley/parley/upstash";
import type { HookSettings } from "../../http/suites/hooks.ts";

/** The header with a {@linkcode Wish}, as JSON. */
export const WISH = "x-wish";

/** How a request is served. */
export interface Wish {
  readonly store: { readonly neon: Parameters<typeof neonDriver> } | {
    readonly upstash: Parameters<typeof upstashDriver>;
  };
  readonly options: Partial<ParleyHttpOptions>;
  /** Serves the providers' webhooks instead of the adapter, with these settings. */
  readonly hooks?: HookSettings;
  /** Where the adapter is mounted, or the webhooks. */
  readonly path: string;
  /** The tokens that the adapter's auth accepts. */
  readonly tokens: string[];
  /** The secret of scoped tokens. */
  readonly secret: string;
}
