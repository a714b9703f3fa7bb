/// <reference lib="dom" />
/**
 * What the token allows, as the server's `auth` says.
 *
 * @module
 */

import type { Action } from "../../auth/auth.ts";
import { read } from "./store.ts";

/** The allowed actions. */
export type Allowed = ReadonlySet<Action>;

/**
 * Asks what is allowed.
 *
 * @param workflowId The workflow that it concerns; without it, what concerns all of them.
 */
export async function readAllowed(workflowId?: string): Promise<Allowed> {
  const { actions } = await read<{ actions: Action[] }>("/inspector/actions", { workflowId });
  return new Set(actions);
}
