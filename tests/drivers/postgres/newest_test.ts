import { crashCalls } from "../../support/crashes.ts";
import { conformance, workflows } from "../../../testing/mod.ts";
import { costs } from "../../support/costs.ts";
import { postgresHarness, postgresTest } from "./support/postgres.ts";
import { postgresUrl } from "./support/server.ts";
import { randomPrograms } from "../../support/programs.ts";

const harness = await postgresHarness(await postgresUrl());
conformance(postgresTest, harness);
workflows(postgresTest, harness, { crashes: crashCalls("odd") });
costs(postgresTest, harness);
randomPrograms(postgresTest, harness, { runs: 25 });
