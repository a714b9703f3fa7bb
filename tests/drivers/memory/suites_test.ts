import { conformance, workflows } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { memoryHarness } from "./harness.ts";
import { randomPrograms } from "../../support/programs.ts";
import { replayPrograms } from "../../support/replays/mod.ts";

conformance(Deno.test, memoryHarness);
workflows(Deno.test, memoryHarness);
randomPrograms(Deno.test, memoryHarness, { runs: 300 });
replayPrograms(Deno.test, memoryHarness, { runs: 100 });
costs(Deno.test, memoryHarness);
