import { conformance } from "../../../conformance/mod.ts";
import { costs } from "../../support/costs.ts";
import { neonHarness } from "./support/harness.ts";
import { oldestPostgresUrl } from "../postgres/support/server.ts";

// The workflow suite is left out: tests/drivers/postgres/oldest_test.ts runs it over the same
// statements.
const url = await oldestPostgresUrl();
if (url !== null) {
  const harness = await neonHarness(url, { push: true });
  conformance(Deno.test, harness);
  costs(Deno.test, harness);
}
