/**
 * The conformance suite for drivers.
 *
 * @module
 */

import type { MakeHarness, RegisterTest } from "../harness.ts";
import { registerSuite, type Rules } from "../suite.ts";
import { atOnce } from "./run/at_once.ts";
import { children } from "./outside/children.ts";
import { claim } from "./run/claim.ts";
import { clock } from "./store/clock.ts";
import { cancelChildren } from "./repair/cancel_children.ts";
import { continueAsNew } from "./repair/continue_as_new.ts";
import { control } from "./outside/control.ts";
import { create } from "./outside/create.ts";
import { delays } from "./outside/delays.ts";
import { deletes } from "./repair/deletes.ts";
import { events } from "./outside/events.ts";
import { fencing } from "./run/fencing.ts";
import { history } from "./look/history.ts";
import { idempotency } from "./outside/idempotency.ts";
import { inTime } from "./run/in_time.ts";
import { journal } from "./run/journal.ts";
import { lease } from "./run/lease.ts";
import { list } from "./outside/list.ts";
import { listedChannels } from "./look/listed_channels.ts";
import { listedMessages } from "./look/listed_messages.ts";
import { listFilters } from "./look/list_filters.ts";
import { messages } from "./outside/messages.ts";
import { migration } from "./store/migration.ts";
import { names } from "./store/names.ts";
import { parks } from "./run/parks.ts";
import { pauses } from "./run/pauses.ts";
import { purge } from "./outside/purge.ts";
import { recvAny } from "./outside/recv_any.ts";
import { repeats } from "./run/repeats.ts";
import { rewinds } from "./repair/rewinds.ts";
import { results } from "./run/results.ts";
import { sizes } from "./store/sizes.ts";
import { steps } from "./run/steps.ts";
import { streams } from "./outside/streams.ts";
import { suspend } from "./run/suspend.ts";
import { values } from "./store/values.ts";
import { waits } from "./run/waits.ts";
import { watch } from "./store/watch.ts";

const RULES: readonly Rules[] = [
  migration,
  create,
  claim,
  lease,
  fencing,
  atOnce,
  repeats,
  steps,
  journal,
  messages,
  recvAny,
  idempotency,
  events,
  results,
  streams,
  waits,
  inTime,
  pauses,
  suspend,
  parks,
  children,
  control,
  rewinds,
  cancelChildren,
  deletes,
  continueAsNew,
  delays,
  purge,
  list,
  listFilters,
  history,
  listedMessages,
  listedChannels,
  names,
  values,
  sizes,
  clock,
  watch,
];

/**
 * Registers the driver conformance suite, which has one test for each rule of the driver contract.
 * A last test fails if fewer tests ran than were registered, for example under a filter.
 *
 * @param test Registers a test, as `Deno.test` does. The tests must run one after the other, in the
 * order registered.
 * @param makeHarness Makes a fresh, empty store with two driver instances; it is called once for
 * each test.
 * @returns The number of tests registered.
 * @category Suites
 */
export function conformance(test: RegisterTest, makeHarness: MakeHarness): number {
  return registerSuite({ name: "driver conformance", rules: RULES }, test, makeHarness);
}
