import { differential } from "../../support/differential/mod.ts";
import { sqliteHarness } from "./support/harness.ts";

differential((name, run) => Deno.test(`SQLite: ${name}`, run), sqliteHarness, { runs: 200 });
