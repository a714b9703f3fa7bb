import { crashCalls } from "../../support/crashes.ts";
import { workflows } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { neonHarness } from "./support/harness.ts";
import { postgresUrl } from "../postgres/support/server.ts";
import { randomPrograms } from "../../support/programs.ts";
import { replayPrograms } from "../../support/replays/mod.ts";

// oldest_test.ts checks this set-up against the contract, and push_test.ts the one with push.
const harness = await neonHarness(await postgresUrl(), { push: false });
workflows(Deno.test, harness, { crashes: crashCalls("Neon") });
costs(Deno.test, harness);
randomPrograms(Deno.test, harness, { runs: 10 });
replayPrograms(Deno.test, harness, { runs: 20 });
