/**
 * A process that measures the calls of a driver over one store, which it fills first. It ends when
 * its input ends.
 *
 * Over PostgreSQL the driver has one connection, and no commit waits for the disk. Over Redis there
 * is no HTTP. Both would hide how a call grows.
 *
 * @module
 */

import process from "node:process";
// @ts-types="@types/pg"
import pg from "pg";
import type { Kind } from "../worker/kind.ts";
import { type Commands, serve } from "../worker/serve.ts";
import { now } from "../worker/tasks.ts";
import type { Call, MakeCall } from "./call.ts";
import { CALLS as POSTGRES_CALLS } from "./postgres/calls.ts";
import { blocksRead } from "./postgres/reads.ts";
import { fill as fillPostgres, openStore as openPostgres, sizesOf as postgresSizes } from "./postgres/store.ts";
import { CALLS as UPSTASH_CALLS } from "./upstash/calls.ts";
import { Redis } from "./upstash/redis.ts";
import { fill as fillUpstash, openStore as openUpstash, sizesOf as upstashSizes } from "./upstash/store.ts";

/** The first argument. */
interface Settings {
  readonly kind: Kind;
  /** The URL of the database, or the URL of Redis and a prefix as JSON. */
  readonly url: string;
}

/** A store that can be filled. */
interface Fillable {
  /** Fills the store, and returns its calls. */
  fill(items: number): Promise<ReadonlyMap<string, Call>>;
  /** Returns how many blocks of tables and indexes a call reads, if the store has them. */
  blocks?(call: () => Promise<unknown>): Promise<number>;
}

/** What one round of a call has measured. */
export interface ScaleAnswer {
  readonly times: readonly number[];
  readonly blocks?: number;
}

const SCHEMA = "scale";

function madeFor<Store>(calls: ReadonlyMap<string, MakeCall<Store>>, store: Store, values: number): Map<string, Call> {
  return new Map([...calls].map(([name, make]) => [name, make(store, values - 1_000)]));
}

async function overPostgres(url: string): Promise<Fillable> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("set synchronous_commit = off");
  const store = await openPostgres(client, SCHEMA);
  return {
    fill: async (items) => {
      const sizes = postgresSizes(items);
      await fillPostgres(store, SCHEMA, sizes);
      // Autovacuum would do this after a while.
      await client.query("vacuum analyze");
      return madeFor(POSTGRES_CALLS, store, sizes.values);
    },
    blocks: (call) => blocksRead(client, SCHEMA, call),
  };
}

async function overRedis(address: string): Promise<Fillable> {
  const { url, prefix }: { url: string; prefix: string } = JSON.parse(address);
  const store = await openUpstash(await Redis.connect(url), prefix);
  return {
    fill: async (items) => {
      const sizes = upstashSizes(items);
      await fillUpstash(store, sizes);
      return madeFor(UPSTASH_CALLS, store, sizes.values);
    },
  };
}

function commandsOver({ fill, blocks }: Fillable): Commands {
  let calls: ReadonlyMap<string, Call>;
  const rounds = new Map<string, number>();
  const prepared = async (name: string) => {
    const round = rounds.get(name) ?? 0;
    rounds.set(name, round + 1);
    const { prepare, run } = calls.get(name)!;
    await prepare?.(round);
    return () => run(round);
  };
  return {
    fill: async ({ count }) => {
      calls = await fill(count);
    },
    call: async ({ program, count }): Promise<ScaleAnswer> => {
      const times: number[] = [];
      for (let number = 0; number < count; number++) {
        const run = await prepared(program);
        const begin = now();
        await run();
        times.push(now() - begin);
      }
      return { times, ...blocks && { blocks: await blocks(await prepared(program)) } };
    },
  };
}

const { kind, url }: Settings = JSON.parse(process.argv[2]!);
await serve(commandsOver(kind === "filled" ? await overPostgres(url) : await overRedis(url)));
process.exit(0);
