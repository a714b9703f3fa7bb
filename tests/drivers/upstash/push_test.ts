import { crashCalls } from "../../support/crashes.ts";
import { conformance, workflows } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { randomPrograms } from "../../support/programs.ts";
import { redisUrl } from "./support/redis_server.ts";
import { upstashCosts, upstashHarness } from "./support/harness.ts";

const url = await redisUrl();
const harness = upstashHarness(url, { push: true });
conformance(Deno.test, harness);
workflows(Deno.test, harness, { crashes: crashCalls("even") });
costs(Deno.test, upstashHarness(url, { push: true, warm: true }), upstashCosts);
randomPrograms(Deno.test, harness, { runs: 10 });
