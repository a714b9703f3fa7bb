import { memoryHarness } from "../../drivers/memory/harness.ts";
import { streams } from "../suites/streams.ts";

streams(Deno.test, memoryHarness);
