import { memoryHarness } from "../../drivers/memory/harness.ts";
import { live } from "../suites/live.ts";

live(Deno.test, memoryHarness);
