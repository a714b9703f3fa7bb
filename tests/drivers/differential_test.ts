import { differential } from "../support/differential/mod.ts";
import { pgliteHarness, pgliteTest } from "../support/pglite.ts";
import { redisUrl } from "../support/redis_server.ts";
import { upstashHarness } from "../support/upstash_harness.ts";

const upstash = upstashHarness(await redisUrl(), { push: false });
differential((name, run) => Deno.test(`Upstash: ${name}`, run), upstash, { runs: 100 });
differential((name, run) => pgliteTest(`Postgres: ${name}`, run), pgliteHarness, { runs: 60 });
