import { memoryHarness } from "../../drivers/memory/harness.ts";
import { liveStreams } from "../suites/streams_live.ts";

liveStreams(Deno.test, memoryHarness);
