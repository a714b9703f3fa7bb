import { conformance } from "../../../testing/mod.ts";
import { costs } from "../../support/costs.ts";
import { neonHarness } from "./support/harness.ts";
import { oldestPostgresUrl } from "../postgres/support/server.ts";

// The workflow suite says nothing more of a version: it runs over the same statements in tests/drivers/postgres/oldest_test.ts.
const url = await oldestPostgresUrl();
if (url !== null) {
  const harness = await neonHarness(url, { push: true });
  conformance(Deno.test, harness);
  costs(Deno.test, harness);
}
