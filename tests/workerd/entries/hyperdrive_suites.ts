/**
 * The suites for drivers, in a worker: each request runs some tests, over connections of its own.
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

/**
 * Runs tests one after the other over two pools. Connections belong to the request that opens them.
 * A new one takes long for its first calls, because the server compiles functions for each session.
 *
 * @returns The stack of what each test threw, or an empty text.
 */
async function run(tests: (() => Promise<void>)[], env: Env): Promise<string[]> {
  const { HYPERDRIVE: { connectionString }, SCHEMA: schema } = env;
  const pools = [new pg.Pool({ connectionString }), new pg.Pool({ connectionString })] as const;
  const store = await PostgresStore.open(pools[0], schema);
  makeHarness = async () => {
    const requests = new Requests();
    const driver = (pool: pg.Pool) => postgresDriver(requests.over(pool), { schema, requestTimeout: REQUEST_TIMEOUT });
    return await store.harness([driver(pools[0]), driver(pools[1])], requests);
  };
  const faults: string[] = [];
  for (const test of tests) faults.push(await test().then(() => "", (error) => error.stack ?? String(error)));
  await Promise.all(pools.map((pool) => pool.end()));
  return faults;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (request.method !== "POST") {
      return Response.json(
        Object.fromEntries(Object.entries(suites).map(([name, tests]) => [name, [...tests.keys()]])),
      );
    }
    const { suite, names }: { suite: string; names: string[] } = await request.json();
    return Response.json(await run(names.map((name) => suites[suite]!.get(name)!), env));
  },
};
