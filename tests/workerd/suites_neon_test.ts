import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { neonRemote } from "../support/workerd/harness.ts";
import { startWorker } from "../support/workerd/mod.ts";
import { suites, UNREAD } from "./suites.ts";

const worker = await startWorker({ entry: "tests/workerd/entries/suite.ts" });
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());
suites(await neonRemote(await postgresUrl(), worker), UNREAD);
