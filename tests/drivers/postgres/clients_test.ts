/**
 * The driver through the clients of docs/postgres.md.
 *
 * @module
 */

import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import type { Driver } from "../../../core/driver/driver.ts";
import { postgresDriver } from "../../../drivers/postgres/mod.ts";
import { deno, read, withDirectory } from "../../project/files.ts";
import { bunPath } from "../../runtimes/bun.ts";
import { rejection } from "../../support/rejection.ts";
import { oldestPostgresUrl, postgresUrl } from "./support/server.ts";
import { tellOfHints } from "./clients/hint_story.ts";
import { LISTENING } from "./clients/listening.ts";
import { CLIENTS } from "./clients/node.ts";
import { tellStory } from "./clients/story.ts";

/** Bun is killed if it hangs for so long. */
const MAX_BUN_MS = 60_000;

const newest = await postgresUrl();
const urls = { newest, oldest: await oldestPostgresUrl() };

/**
 * Registers a test that Deno does not check for leaks, because clients end their connections after
 * that check, perhaps during the next test.
 */
function clientTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** An error names the constraint that a call violates, wherever the client keeps the name. */
async function violateCheck(driver: Driver, { url, schema }: { url: string; schema: string }): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`alter table "${schema}".workflows add constraint no_hunter check (name <> 'hunter2')`);
  await client.end();
  const error = await rejection(
    driver.create({ workflowId: "b", name: "hunter2", input: "hunter2", owner: "owner", leaseMs: null }),
  );
  assert.equal(
    error.message,
    'Postgres: create failed (SQLSTATE 23514, constraint "no_hunter" of table "workflows")',
  );
  assert(!Deno.inspect(error, { depth: 10 }).includes("hunter2"));
}

for (const [name, open] of Object.entries(CLIENTS)) {
  for (const [version, url] of Object.entries(urls)) {
    if (url === null) continue;
    clientTest(`a workflow runs over ${name}, on the ${version} PostgreSQL`, async () => {
      const schema = `Client ${name} ${crypto.randomUUID()}`;
      const { driver, close } = await open(url, schema);
      try {
        await tellStory(driver);
        await violateCheck(driver, { url, schema });
      } finally {
        await close();
      }
    });
  }
}

for (const [name, open] of Object.entries(LISTENING)) {
  clientTest(`hints come through ${name}`, async () => {
    const { driver, close } = await open(newest, `Client ${name} ${crypto.randomUUID()}`);
    try {
      await tellOfHints(driver);
    } finally {
      await close();
    }
  });
}

clientTest(
  "a workflow runs over a pool of node-postgres that reads int8 as BigInt and everything else as text",
  async () => {
    const types = { getTypeParser: (oid: number) => (text: string) => oid === 20 ? BigInt(text) : text };
    const pool = new pg.Pool({ connectionString: newest, types });
    try {
      await tellStory(postgresDriver(pool, { schema: `Client bigint ${crypto.randomUUID()}` }));
    } finally {
      await pool.end();
    }
  },
);

clientTest("a workflow runs over a single client of node-postgres", async () => {
  const client = new pg.Client({ connectionString: newest });
  await client.connect();
  try {
    await tellStory(postgresDriver(client, { schema: `Client single ${crypto.randomUUID()}` }));
  } finally {
    await client.end();
  }
});

clientTest("a workflow runs over Bun's SQL", async () => {
  const bun = await bunPath();
  await withDirectory(async (directory) => {
    const bundle = `${directory}/bun.mjs`;
    const bundled = await deno(
      "bundle",
      "--quiet",
      "--platform",
      "deno",
      "--output",
      bundle,
      "tests/drivers/postgres/clients/bun.ts",
    );
    assert.equal(bundled.code, 0, bundled.stderr);
    const args = [bundle, newest, `Client Bun ${crypto.randomUUID()}`];
    const signal = AbortSignal.timeout(MAX_BUN_MS);
    const { code, stdout, stderr } = await new Deno.Command(bun, { args, cwd: directory, stdin: "null", signal })
      .output();
    const [printed, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.deepEqual([code, printed], [0, "done\n"], errors);
  });
});

Deno.test("docs/postgres.md shows the code of the tested clients", () => {
  const tested = lines(
    ["node", "listening", "bun"].map((name) => read(`tests/drivers/postgres/clients/${name}.ts`)).join("\n"),
  );
  const sections = read("docs/postgres.md").split(/^### /m).slice(1).map((section) => section.split("\n")[0]);
  for (const name of [...Object.keys(CLIENTS), "Bun"]) {
    assert(sections.includes(name), `the guide has no section "${name}"`);
  }
  const shown = [...read("docs/postgres.md").matchAll(/```ts ignore\n(.*?)```/gs)].flatMap(([, code = ""]) =>
    lines(code)
  );
  assert(shown.length > 20, `${shown.length} lines`);
  assert.deepEqual(shown.filter((line) => !tested.includes(line)), []);
});

/** Trims lines, and leaves out empty ones. */
function lines(code: string): string[] {
  return code.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}
