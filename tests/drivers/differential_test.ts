import { differential } from "../support/differential/mod.ts";
import { pgliteHarness, pgliteTest } from "./postgres/support/pglite.ts";
import { redisUrl } from "./upstash/support/redis_server.ts";
import { upstashHarness } from "./upstash/support/harness.ts";

const upstash = upstashHarness(await redisUrl(), { push: false });
differential((name, run) => Deno.test(`Upstash: ${name}`, run), upstash, { runs: 100 });
differential((name, run) => pgliteTest(`Postgres: ${name}`, run), pgliteHarness, { runs: 60 });
