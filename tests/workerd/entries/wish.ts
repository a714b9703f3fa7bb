/**
 * What a request of the suites tells the worker. In a file of its own: all that a worker's module exports has to be a handler.
 *
 * @module
 */

import type { ParleyHttpOptions } from "@parley/parley/http";
import type { neonDriver } from "@parley/parley/neon";
import type { upstashDriver } from "@parley/parley/upstash";
import type { HookSettings } from "../../http/support/hooks.ts";

/** The header with a {@linkcode Wish}, as JSON. */
export const WISH = "x-wish";

/** How a request is served. */
export interface Wish {
  readonly store: { readonly neon: Parameters<typeof neonDriver> } | {
    readonly upstash: Parameters<typeof upstashDriver>;
  };
  readonly options: Partial<ParleyHttpOptions>;
  /** In place of the adapter the providers' webhooks, with these settings. */
  readonly hooks?: HookSettings;
  /** Where the adapter is mounted, or the webhooks. */
  readonly path: string;
  /** What the adapter's auth takes. */
  readonly tokens: string[];
  /** What scoped tokens are signed with. */
  readonly secret: string;
}
