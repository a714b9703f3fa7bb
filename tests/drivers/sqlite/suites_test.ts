import { conformance, workflows } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { randomPrograms } from "../../support/programs.ts";
import { replayPrograms } from "../../support/replays/mod.ts";
import { sqliteHarness } from "./support/harness.ts";

conformance(Deno.test, sqliteHarness);
workflows(Deno.test, sqliteHarness);
randomPrograms(Deno.test, sqliteHarness, { runs: 100 });
replayPrograms(Deno.test, sqliteHarness, { runs: 100 });
costs(Deno.test, sqliteHarness);
