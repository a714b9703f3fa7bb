import { redisUrl } from "../drivers/upstash/support/redis_server.ts";
import { upstashSite } from "../support/workerd/limits.ts";
import { limits } from "./limits.ts";

await limits("Upstash", await upstashSite(await redisUrl()), { polls: false });
