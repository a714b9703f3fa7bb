/**
 * The story with Deno's own OpenTelemetry, and a workflow that is started over HTTP.
 *
 * @module
 */

import { context, metrics, trace } from "@opentelemetry/api";
import { memoryDriver, Parley, workflow } from "../../mod.ts";
import { connect } from "../../http/client/client.ts";
import { bearer, parleyHttp } from "../../http/mod.ts";
import { otel } from "../../otel/mod.ts";
import { tellStory } from "./story.ts";

const observer = otel({ tracer: trace.getTracer("shop"), meter: metrics.getMeter("shop"), context });
await tellStory(observer);

const flow = workflow("flow", async (ctx, _: unknown) => {
  await ctx.step("step", async () => {
    await Promise.resolve();
    trace.getTracer("shop").startSpan("in the step").end();
  });
});
const parley = new Parley({ driver: memoryDriver(), workflows: [flow], observer });
const server = Deno.serve(
  { port: 0, hostname: "127.0.0.1", onListen: () => {} },
  parleyHttp({ parley, auth: bearer("t0ken") }).fetch,
);
await connect({ url: `http://127.0.0.1:${server.addr.port}`, token: "t0ken" }).start(flow, 1);
await parley.idle();
await server.shutdown();
