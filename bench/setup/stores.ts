/**
 * The servers of a run, and what each system has in them.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import { startPostgres } from "../../scripts/postgres.ts";
import { startRedis } from "../../scripts/redis.ts";
import { startUpstash } from "./upstash.ts";

/** The servers of a run: the URLs of PostgreSQL and Redis, and the address of Upstash as JSON. */
export interface Stores {
  readonly postgres?: string;
  readonly upstash?: string;
  readonly redis?: string;
}

/** Servers with their versions. They stop with the stack. */
export async function startStores(
  needed: ReadonlySet<keyof Stores>,
  stack: AsyncDisposableStack,
): Promise<{ stores: Stores; versions: Record<string, string> }> {
  const postgres = needed.has("postgres") ? await postgresOf(stack) : null;
  const redis = needed.has("upstash") || needed.has("redis") ? await redisOf(stack) : null;
  const upstash = redis && needed.has("upstash") ? stack.use(await startUpstash(redis.url)).address : undefined;
  return {
    stores: {
      ...postgres && { postgres: postgres.url },
      ...redis && { redis: redis.url },
      ...upstash !== undefined && { upstash },
    },
    versions: { ...postgres && { PostgreSQL: postgres.version }, ...redis && { Redis: redis.version } },
  };
}

interface Server {
  readonly url: string;
  readonly version: string;
}

/** The server of `DATABASE_URL`, or one that starts now. */
async function postgresOf(stack: AsyncDisposableStack): Promise<Server> {
  const url = Deno.env.get("DATABASE_URL");
  if (url !== undefined) return { url, version: "of DATABASE_URL" };
  const server = stack.use(await startPostgres({ durable: true }));
  return { url: server.url, version: server.version.replace(/^.*\(PostgreSQL\) /, "") };
}

/** The server of `REDIS_URL`, or one that starts now. */
async function redisOf(stack: AsyncDisposableStack): Promise<Server> {
  const url = Deno.env.get("REDIS_URL");
  return url === undefined ? stack.use(await startRedis()) : { url, version: "of REDIS_URL" };
}

/** What a system has in a server. Its keys in Redis are few, and begin with a prefix of its own. */
export async function addressIn({ postgres, upstash, redis }: Stores, store: keyof Stores): Promise<string> {
  const prefix = `bench-${crypto.randomUUID()}`;
  if (store === "postgres") return await createDatabase(postgres!);
  return JSON.stringify(store === "redis" ? { url: redis, prefix } : { ...JSON.parse(upstash!), prefix });
}

async function createDatabase(server: string): Promise<string> {
  const name = `bench_${crypto.randomUUID().replaceAll("-", "")}`;
  await withClient(server, (client) => client.query(`create database ${name}`));
  const url = new URL(server);
  url.pathname = name;
  return url.href;
}

/** Removes databases of {@linkcode addressIn}. */
export async function dropDatabases(server: string, urls: readonly string[]): Promise<void> {
  await withClient(server, async (client) => {
    for (const url of urls) await dropDatabase(client, new URL(url).pathname.slice(1));
  });
}

/** The SQLSTATE if others use a database. */
const OBJECT_IN_USE = "55006";

/**
 * Without `force`, PostgreSQL waits 5 s for connections that are about to end, and ends autovacuum. With `force` it
 * fails if autovacuum is there, unless the role is a superuser.
 */
async function dropDatabase(client: pg.Client, name: string): Promise<void> {
  const statement = `drop database ${name}`;
  await client.query(statement).catch((error) => {
    if (error.code !== OBJECT_IN_USE) throw error;
    return client.query(`${statement} with (force)`);
  });
}

async function withClient(url: string, use: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}
