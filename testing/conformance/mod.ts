/**
 * The conformance suite for drivers.
 *
 * @module
 */

import type { MakeHarness, RegisterTest } from "../harness.ts";
import { type Concern, registerSuite } from "../suite.ts";
import { children } from "./children.ts";
import { claiming } from "./claim.ts";
import { goingBack } from "./clock.ts";
import { controlling } from "./control.ts";
import { creation } from "./create.ts";
import { events } from "./events.ts";
import { fencing } from "./fencing.ts";
import { idempotency } from "./idempotency.ts";
import { inTime } from "./in_time.ts";
import { journal } from "./journal.ts";
import { leases } from "./lease.ts";
import { listing } from "./list.ts";
import { messages } from "./messages.ts";
import { migration } from "./migration.ts";
import { names } from "./names.ts";
import { parks } from "./parks.ts";
import { pauses } from "./pauses.ts";
import { purging } from "./purge.ts";
import { receivingAny } from "./recv_any.ts";
import { repeats } from "./repeats.ts";
import { results } from "./results.ts";
import { sizes } from "./sizes.ts";
import { steps } from "./steps.ts";
import { streams } from "./streams.ts";
import { suspending } from "./suspend.ts";
import { values } from "./values.ts";
import { waits } from "./waits.ts";
import { watching } from "./watch.ts";

const CONCERNS: readonly Concern[] = [
  migration,
  creation,
  claiming,
  leases,
  fencing,
  repeats,
  steps,
  journal,
  messages,
  receivingAny,
  idempotency,
  events,
  results,
  streams,
  waits,
  inTime,
  pauses,
  suspending,
  parks,
  children,
  controlling,
  purging,
  listing,
  names,
  values,
  sizes,
  goingBack,
  watching,
];

/**
 * Registers the driver conformance suite: one test for each rule of the driver contract, and a last one that fails if fewer
 * ran than were registered, as when a filter leaves some out.
 *
 * @param test Registers a test, as `Deno.test` does. The tests must run one after the other, in the order registered.
 * @param makeHarness Makes a fresh, empty store with two driver instances; called once for each test.
 * @returns The number of tests registered.
 */
export function conformance(test: RegisterTest, makeHarness: MakeHarness): number {
  return registerSuite({ name: "driver conformance", concerns: CONCERNS }, test, makeHarness);
}
