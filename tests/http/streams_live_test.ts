import { memoryHarness } from "../support/memory.ts";
import { liveStreams } from "./suites/streams_live.ts";

liveStreams(Deno.test, memoryHarness);
