import { crashCalls } from "../../support/crashes.ts";
import { conformance, workflows } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { postgresHarness, postgresTest } from "./support/postgres.ts";
import { oldestPostgresUrl } from "./support/server.ts";
import { randomPrograms } from "../../support/programs.ts";
import { replayPrograms } from "../../support/replays/mod.ts";

const url = await oldestPostgresUrl();
if (url !== null) {
  const harness = await postgresHarness(url);
  conformance(postgresTest, harness);
  workflows(postgresTest, harness, { crashes: crashCalls("even") });
  costs(postgresTest, harness);
  randomPrograms(postgresTest, harness, { runs: 25 });
  replayPrograms(postgresTest, harness, { runs: 20 });
}
