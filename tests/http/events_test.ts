import { memoryHarness } from "../support/memory.ts";
import { events } from "./suites/events.ts";

events(Deno.test, memoryHarness);
