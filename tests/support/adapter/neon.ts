/**
 * A store for the adapter's process: a schema of its own behind the local Neon.
 *
 * @module
 */

import { atNeon, Backstage } from "../../drivers/neon/support/harness.ts";
import { type NeonServer, startNeonServer } from "../../drivers/neon/server/mod.ts";
import { quoted } from "../../drivers/postgres/support/store.ts";
import type { Store } from "./process.ts";

/** A store that outlives the processes that use it. The test removes it at its end. */
export interface NeonStore extends AsyncDisposable {
  readonly store: Store;
  readonly server: NeonServer;
}

/** Starts a local Neon in front of PostgreSQL. The schema is dropped at the end. */
export async function startNeonStore(postgres: string): Promise<NeonStore> {
  const server = await startNeonServer({ postgres });
  const schema = `adapter ${crypto.randomUUID()}`;
  const endpoint = { http: server.http, websocket: server.websocket };
  return {
    store: { kind: "neon", url: atNeon(postgres), options: { schema, endpoint } },
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      const backstage = new Backstage(postgres);
      await using _used = await backstage.use();
      await backstage.query(`drop schema if exists ${quoted(schema)} cascade`);
    },
  };
}
