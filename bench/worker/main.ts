/**
 * A process that measures one system. It ends when its input ends.
 *
 * @module
 */

import process from "node:process";
import { bareCommands } from "./bare.ts";
import { commandsOf } from "./commands.ts";
import { dbosSystem } from "./dbos.ts";
import type { WorkerKind } from "./kind.ts";
import { postgresSystem } from "./parley.ts";
import { barePgliteCommands, pgliteSystem } from "./pglite.ts";
import { countRequests } from "./requests.ts";
import { type Commands, serve } from "./serve.ts";
import { bareUpstashCommands, realtimeCommands, upstashSystem } from "./upstash.ts";

/** The first argument. */
interface Settings {
  readonly kind: WorkerKind;
  /** The URL of the database, or the address of Upstash as JSON. */
  readonly url: string;
  readonly poolSize: number;
}

async function commandsFor({ kind, url, poolSize }: Settings): Promise<Commands> {
  switch (kind) {
    case "parley":
      return commandsOf(postgresSystem(url, poolSize));
    case "dbos":
      return commandsOf(await dbosSystem(url, poolSize));
    case "bare":
      return await bareCommands(url, poolSize);
    case "upstash":
      return commandsOf(upstashSystem(JSON.parse(url)));
    case "bareUpstash":
      return await bareUpstashCommands(JSON.parse(url));
    case "realtime":
      return await realtimeCommands(JSON.parse(url));
    case "pglite":
      return commandsOf(await pgliteSystem());
    case "barePglite":
      return await barePgliteCommands();
  }
}

countRequests();
await serve(await commandsFor(JSON.parse(process.argv[2]!)));
process.exit(0);
