import { crashCalls } from "../../support/crashes.ts";
import { conformance, workflows } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { pgliteHarness, pgliteTest } from "./support/pglite.ts";
import { randomPrograms } from "../../support/programs.ts";
import { replayPrograms } from "../../support/replays/mod.ts";

conformance(pgliteTest, pgliteHarness);
workflows(pgliteTest, pgliteHarness, { crashes: crashCalls("PGlite") });
costs(pgliteTest, pgliteHarness);
randomPrograms(pgliteTest, pgliteHarness, { runs: 25 });
replayPrograms(pgliteTest, pgliteHarness, { runs: 40 });
