import { conformance } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { neonHarness } from "./support/harness.ts";
import { oldestPostgresUrl, postgresUrl } from "../postgres/support/server.ts";

// This is the set-up without push; push_test.ts has the one with push, on the newest PostgreSQL. The
// workflow suite is left out, because tests/drivers/postgres/oldest_test.ts runs it over the same
// statements.
const harness = await neonHarness(await oldestPostgresUrl() ?? await postgresUrl(), { push: false });
conformance(Deno.test, harness);
costs(Deno.test, harness);
