import { redisUrl } from "../drivers/upstash/support/redis_server.ts";
import { upstashRemote } from "../support/workerd/harness.ts";
import { startWorker } from "../support/workerd/mod.ts";
import { suites, UNREAD } from "./suites.ts";

const worker = await startWorker({ entry: "tests/workerd/entries/suite.ts" });
Deno.test.afterAll(() => worker[Symbol.asyncDispose]());
suites(upstashRemote(await redisUrl(), worker, { push: true }), UNREAD);
