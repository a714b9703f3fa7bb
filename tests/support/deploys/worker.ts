/**
 * A process that works off orders over Postgres. Arguments: what `openDriver` takes, and `good` or
 * `bad` for the deploy.
 *
 * @module
 */

import { Parley } from "../../../mod.ts";
import { openDriver } from "../fleet/postgres.ts";
import { badOrder, order } from "./orders.ts";

const [argument = "", deploy] = Deno.args;
const { driver } = openDriver(argument);
const parley = new Parley({
  driver,
  workflows: [deploy === "bad" ? badOrder : order],
  hotWait: 0,
  onError: (error) => {
    // A workflow that is parked is reported, and is what this is about.
    if ((error as { code?: string }).code !== "non_determinism") console.error(error);
  },
});
await parley.work({ signal: new AbortController().signal, concurrency: 50 });
