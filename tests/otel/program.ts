/**
 * The story with OpenTelemetry, as a program of its own. It prints what was recorded, as JSON.
 *
 * @module
 */

import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { memoryDriver, Parley, workflow } from "../../mod.ts";
import { otel } from "../../otel/mod.ts";
import { startSdk } from "./sdk.ts";
import { tellStory } from "./story.ts";
import { treeOf } from "./tree.ts";

// Node 20 has no `using`. The process ends without disposing of the SDK.

async function withoutManager(): Promise<string[]> {
  const sdk = startSdk();
  await tellStory(otel({ tracer: sdk.tracer, meter: sdk.meter }));
  return treeOf(sdk.spans());
}

/** Spans of the user's own, which have the active span as their parent. */
async function withManager(): Promise<string[]> {
  const sdk = startSdk();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const own = (name: string) => sdk.tracer.startSpan(name).end();
  const flow = workflow("flow", async (ctx, _: unknown) => {
    await ctx.step("step", async () => {
      await Promise.resolve();
      own("in the step");
    });
    own("in the workflow");
    await ctx.recv();
    own("after a wait");
  });
  const observer = otel({ tracer: sdk.tracer, context });
  const parley = new Parley({ driver: memoryDriver(), workflows: [flow], observer, hotWait: 0 });
  const page = sdk.tracer.startSpan("page");
  const { traceId, spanId } = page.spanContext();
  await context.with(trace.setSpan(context.active(), page as never), async () => {
    await parley.start(flow, 1, { workflowId: "w" });
    await parley.idle();
    // The header of the request that the page answers. The page itself is nearer.
    await parley.send("w", 2, {
      traceparent: `00-${traceId}-${spanId.replace(/^./, (it) => it === "a" ? "b" : "a")}-01`,
    });
    await parley.idle();
  });
  page.end();
  await parley.close();
  return treeOf(sdk.spans());
}

console.log(JSON.stringify({ without: await withoutManager(), with: await withManager() }));
