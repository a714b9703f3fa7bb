/**
 * A program that is bundled for Bun and uses Bun's own client, with the code of docs/postgres.md.
 * Its arguments are a URL and a schema.
 *
 * @module
 */

import { type Listen, postgresDriver } from "@parley/parley/postgres";
import process from "node:process";
import { tellOfHints } from "./hint_story.ts";
import { tellStory } from "./story.ts";

interface Sql {
  unsafe(text: string, params: unknown[]): Promise<Record<string, unknown>[]>;
  listen: Listen;
  close(): Promise<void>;
}
const { SQL } = (globalThis as unknown as { Bun: { SQL: new (url: string) => Sql } }).Bun;
const [url = "", schema = ""] = process.argv.slice(2);

const sql = new SQL(url);
const query = async (text: string, params: unknown[] = []) => ({ rows: await sql.unsafe(text, params) });
const driver = postgresDriver({ query }, { schema });

await tellStory(driver);
{
  const listen: Listen = (...args) => sql.listen(...args);
  const driver = postgresDriver({ query }, { schema, listen });
  await tellOfHints(driver);
}
await sql.close();
console.log("done");
