import { crashCalls } from "../../support/crashes.ts";
import { conformance, workflows } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { listeningHarness } from "./support/listening.ts";
import { openPool, postgresTest } from "./support/postgres.ts";
import { oldestPostgresUrl, postgresUrl } from "./support/server.ts";
import { randomPrograms } from "../../support/programs.ts";

// With `listen`, so that push has the suites too. The oldest PostgreSQL and PGlite poll.
// oldest_test.ts tries the even calls of the crash tests, where the oldest PostgreSQL runs.
const url = await postgresUrl();
const [a, b] = [await openPool(url), await openPool(url)];
const harness = await listeningHarness(a, [{ queryable: a, listen: a }, { queryable: b, listen: b }]);
conformance(postgresTest, harness);
workflows(postgresTest, harness, { crashes: crashCalls(await oldestPostgresUrl() === null ? "all" : "odd") });
costs(postgresTest, harness);
randomPrograms(postgresTest, harness, { runs: 25 });
