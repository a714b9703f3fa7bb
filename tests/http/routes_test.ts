import { memoryHarness } from "../drivers/memory/harness.ts";
import { names } from "./suites/names.ts";
import { requests } from "./suites/requests.ts";
import { routes } from "./suites/routes.ts";

routes(Deno.test, memoryHarness);
requests(Deno.test, memoryHarness);
names(Deno.test, memoryHarness, { runs: 200 });
