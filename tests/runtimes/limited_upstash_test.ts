import { redisUrl } from "../drivers/upstash/support/redis_server.ts";
import { upstashRemote } from "../support/workerd/harness.ts";
import { suites } from "../workerd/suites.ts";
import { startLimited } from "./limited.ts";

suites(upstashRemote(await redisUrl(), await startLimited(), { push: true }));
