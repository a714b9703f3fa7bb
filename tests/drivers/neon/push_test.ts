import { crashCalls } from "../../support/crashes.ts";
import { conformance, workflows } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { neonHarness } from "./support/harness.ts";
import { postgresUrl } from "../postgres/support/server.ts";
import { randomPrograms } from "../../support/programs.ts";
import { replayPrograms } from "../../support/replays/mod.ts";

const harness = await neonHarness(await postgresUrl(), { push: true });
conformance(Deno.test, harness);
workflows(Deno.test, harness, { crashes: crashCalls("Neon with push") });
costs(Deno.test, harness);
randomPrograms(Deno.test, harness, { runs: 10 });
replayPrograms(Deno.test, harness, { runs: 20 });
