/**
 * The setting of the tests of one file: apps that run, their databases, and clients.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import { type DbosClient, dbosClient } from "../../../dbos/mod.ts";
import { postgresUrl } from "../../drivers/postgres/support/server.ts";
import { openPool } from "../../drivers/postgres/support/postgres.ts";
import { type DbosApp, DbosPackages, type Version, VERSIONS } from "./apps.ts";

export { type Version, VERSIONS } from "./apps.ts";
export { postgresTest as dbosTest } from "../../drivers/postgres/support/postgres.ts";

/** An app, its database, and a client of it. */
export interface Setting {
  readonly version: Version;
  /** The connection string of the system database. */
  readonly url: string;
  readonly pool: pg.Pool;
  readonly client: DbosClient;
  /** The app that runs. */
  app: DbosApp;
  /** Starts another process of the app, in place of one that was killed. */
  restart(): Promise<void>;
}

/** Makes a database that is dropped after the tests of the file. */
export async function makeDatabase(): Promise<string> {
  const server = await postgresUrl();
  const name = `dbos_${crypto.randomUUID().replaceAll("-", "")}`;
  await queryOnce(server, `create database ${name}`);
  Deno.test.afterAll(async () => void await queryOnce(server, `drop database if exists ${name} with (force)`));
  return Object.assign(new URL(server), { pathname: `/${name}` }).href;
}

/** Sends a query over a connection of its own. */
export async function queryOnce(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/**
 * Starts an app of each version, all at once. Call it while a test file loads. The apps end after
 * the tests of the file.
 */
export async function startApps(versions: readonly Version[] = VERSIONS): Promise<Setting[]> {
  const packages = await DbosPackages.install(versions);
  Deno.test.afterAll(() => packages[Symbol.asyncDispose]());
  return await Promise.all(versions.map(async (version) => {
    const url = await makeDatabase();
    const setting = {
      version,
      url,
      app: await packages.start(version, url),
      pool: await openPool(url),
      restart: async () => void (setting.app = await packages.start(version, url)),
    } as unknown as { -readonly [Member in keyof Setting]: Setting[Member] };
    setting.client = dbosClient(setting.pool);
    Deno.test.afterAll(() => setting.app.kill());
    return setting;
  }));
}

/**
 * Registers a test that runs in all settings at once, because most of its time goes by while the apps
 * wait for their queues. A test may start another process of the app, which outlives it, so Deno does
 * not check for resources.
 */
export function testEach(settings: readonly Setting[], name: string, run: (setting: Setting) => Promise<void>): void {
  const fn = async () => {
    const results = await Promise.allSettled(settings.map(run));
    results.forEach((result, index) => {
      if (result.status === "fulfilled") return;
      console.error(`with DBOS ${settings[index]!.version}:`);
      throw result.reason;
    });
  };
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}
