import { memoryHarness } from "../support/memory.ts";
import { streams } from "./suites/streams.ts";

streams(Deno.test, memoryHarness);
