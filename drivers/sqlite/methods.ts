/**
 * The methods of the contract as functions over one transaction.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { claim } from "./calls/claim.ts";
import { commit } from "./calls/commit.ts";
import { sendAll } from "./calls/inbox.ts";
import { control, create, deleteWorkflow, purge } from "./calls/lifecycle.ts";
import { listEvents, listMessages, listStreams, readHistory } from "./calls/look.ts";
import { listWorkflows, readEvent, readJournal, readStream, readWorkflow } from "./calls/read.ts";
import type { Transaction } from "./calls/transaction.ts";

/** The names of the methods that call the store, without `migrate`. */
export type MethodName = Exclude<keyof Driver, "contract" | "limits" | "migrate" | "watch">;

/** A method over one transaction. */
export type Method<Name extends MethodName> = (
  tx: Transaction,
  ...args: Parameters<Driver[Name]>
) => Awaited<ReturnType<Driver[Name]>>;

type Methods<Name extends MethodName> = { readonly [It in Name]: Method<It> };

/** The methods that only read. */
export const READS: Methods<
  | "readJournal"
  | "readWorkflow"
  | "listWorkflows"
  | "readEvent"
  | "readStream"
  | "readHistory"
  | "listMessages"
  | "listEvents"
  | "listStreams"
> = {
  readJournal,
  readWorkflow,
  listWorkflows,
  readEvent,
  readStream,
  readHistory,
  listMessages,
  listEvents,
  listStreams,
};

/** The methods that write. The caller saves the transaction. */
export const WRITES: Methods<Exclude<MethodName, keyof typeof READS>> = {
  create,
  claim,
  commit,
  send: sendAll,
  control,
  delete: deleteWorkflow,
  purge,
};
