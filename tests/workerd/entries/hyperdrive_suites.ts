/**
 * The suites for drivers, in a worker: each request runs one test, over connections of its own.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import { conformance, type Harness, type RegisterTest, workflows } from "../../../conformance/mod.ts";
import { postgresDriver } from "../../../drivers/postgres/mod.ts";
import { PostgresStore } from "../../drivers/postgres/support/store.ts";
import { costs, type CountingHarness } from "../../support/costs.ts";
import { Requests } from "../../support/requests.ts";
import type { Hyperdrive } from "./platform.ts";

interface Env {
  readonly HYPERDRIVE: Hyperdrive;
  /** A schema that the test file has created. */
  readonly SCHEMA: string;
}

/** Longer than the default, because the largest calls share a machine with all other tests. */
const REQUEST_TIMEOUT = "60s";

/** Tests run one after the other, so this is of the test that runs. */
let makeHarness: () => Promise<CountingHarness>;

const suites: Record<string, Map<string, () => Promise<void>>> = {};
const into = (suite: string): RegisterTest => {
  const tests = suites[suite] = new Map();
  return (name, run) => void tests.set(name, run);
};
conformance(into("conformance"), (): Promise<Harness> => makeHarness());
workflows(into("workflows"), () => makeHarness());
costs(into("costs"), () => makeHarness());

/** Runs a test over two pools. Connections belong to the request that opens them. */
async function run(
  test: () => Promise<void>,
  { HYPERDRIVE: { connectionString }, SCHEMA: schema }: Env,
): Promise<void> {
  const pools = [new pg.Pool({ connectionString }), new pg.Pool({ connectionString })] as const;
  makeHarness = async () => {
    const store = await PostgresStore.open(pools[0], schema);
    const requests = new Requests();
    const driver = (pool: pg.Pool) => postgresDriver(requests.over(pool), { schema, requestTimeout: REQUEST_TIMEOUT });
    return await store.harness([driver(pools[0]), driver(pools[1])], requests);
  };
  try {
    await test();
  } finally {
    await Promise.all(pools.map((pool) => pool.end()));
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [suite, test] = ["suite", "test"].map((name) => new URL(request.url).searchParams.get(name) ?? "");
    if (!suite) {
      return Response.json(
        Object.fromEntries(Object.entries(suites).map(([name, tests]) => [name, [...tests.keys()]])),
      );
    }
    try {
      await run(suites[suite]!.get(test!)!, env);
      return new Response();
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
    }
  },
};
