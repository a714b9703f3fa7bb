import { memoryHarness } from "../../drivers/memory/harness.ts";
import { events } from "../suites/events.ts";

events(Deno.test, memoryHarness);
