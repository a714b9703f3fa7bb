import { memoryHarness } from "../../drivers/memory/harness.ts";
import { durableStreams } from "../suites/durable_streams.ts";
import { durableStreamsClient } from "../suites/durable_streams_client.ts";

durableStreams(Deno.test, memoryHarness);
durableStreamsClient(Deno.test, memoryHarness);
