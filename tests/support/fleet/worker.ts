/**
 * One process of a fleet: works until it is killed.
 *
 * @module
 */

import { type Clock, DriverError, Parley } from "../../../mod.ts";
import { systemClock } from "../../../core/time/clock.ts";
import type { OpenDriver } from "./mod.ts";
import { ring } from "./story.ts";

const [module, argument, skewMs] = Deno.args;
const { openDriver }: { openDriver: OpenDriver } = await import(module!);
const clock: Clock = { now: () => systemClock.now() + Number(skewMs), after: systemClock.after };

const parley = new Parley({
  driver: openDriver(argument!).driver,
  workflows: [ring],
  clock,
  lease: "3s",
  hotWait: "200ms",
  // A test may make the store fail. Any other error is a bug, and must show.
  onError: (error) => error instanceof DriverError || console.error(error),
});
await parley.work({ signal: new AbortController().signal, concurrency: 20 });
