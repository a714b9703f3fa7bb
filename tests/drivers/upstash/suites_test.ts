import { crashCalls } from "../../support/crashes.ts";
import { conformance, workflows } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { randomPrograms } from "../../support/programs.ts";
import { replayPrograms } from "../../support/replays/mod.ts";
import { redisUrl } from "./support/redis_server.ts";
import { upstashCosts, upstashHarness } from "./support/harness.ts";

const url = await redisUrl();
const harness = upstashHarness(url, { push: false });
conformance(Deno.test, harness);
workflows(Deno.test, harness, { crashes: crashCalls("odd") });
costs(Deno.test, upstashHarness(url, { push: false, warm: true }), upstashCosts);
randomPrograms(Deno.test, harness, { runs: 10 });
replayPrograms(Deno.test, harness, { runs: 100 });
