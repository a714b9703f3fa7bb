/**
 * A harness over the Postgres driver whose waits are woken by the database.
 *
 * @module
 */

import type { PostgresDriverOptions, Queryable } from "../../../../drivers/postgres/mod.ts";
import { openPostgres } from "../../../../drivers/postgres/open.ts";
import type { CountingHarness } from "../../../support/costs.ts";
import { Requests } from "../../../support/requests.ts";
import { EAGER, PostgresStore } from "./store.ts";

/** A client, and what listens through it. */
export interface ListeningClient {
  readonly queryable: Queryable;
  readonly listen: NonNullable<PostgresDriverOptions["listen"]>;
}

/** Longer than the default, because the largest calls share a machine with all other tests. */
const REQUEST_TIMEOUT = "60s";

/**
 * Makes harnesses over one schema, with two clients. Each ends when both drivers have stopped
 * listening.
 *
 * @param backstage Creates the schema and moves its clock.
 */
export async function listeningHarness(
  backstage: Queryable,
  [a, b]: readonly [ListeningClient, ListeningClient],
): Promise<() => Promise<CountingHarness>> {
  const store = await PostgresStore.create(backstage, `Listen ${crypto.randomUUID()}`);
  Deno.test.afterAll(() => store.drop());
  return async () => {
    const requests = new Requests();
    const open = ({ queryable, listen }: ListeningClient) =>
      openPostgres(
        withoutBeats(queryable, requests),
        { schema: store.schema, requestTimeout: REQUEST_TIMEOUT, listen },
        { timing: EAGER },
      );
    const [first, second] = [open(a), open(b)];
    const harness = await store.harness([first.driver, second.driver], requests);
    return {
      ...harness,
      async [Symbol.asyncDispose]() {
        await Promise.all([first.push?.idle, second.push?.idle]);
        await harness[Symbol.asyncDispose]();
      },
    };
  };
}

/** Counts the requests of a client, without those that keep a listener registered. */
function withoutBeats(queryable: Queryable, requests: Requests): Queryable {
  const counted = requests.over(queryable);
  const isBeat = (text: string) => /\.(listen|settle|unlisten)_v1\(/.test(text);
  return { query: (text, params) => (isBeat(text) ? queryable : counted).query(text, params) };
}
