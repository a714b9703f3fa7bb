/**
 * The story with OpenTelemetry in a worker, which answers with the recorded spans. Over HTTP it starts
 * a workflow in the trace of the request.
 *
 * @module
 */

import { memoryDriver, Parley, workflow } from "@parley/parley";
import { bearer, parleyHttp } from "@parley/parley/http";
import { otel } from "@parley/parley/otel";
import { startSdk } from "../../otel/sdk.ts";
import { tellStory } from "../../otel/story.ts";

const flow = workflow("flow", (ctx, _: unknown) => ctx.step("step", () => 1));

export default {
  async fetch(request: Request): Promise<Response> {
    const sdk = startSdk();
    const observer = otel({ tracer: sdk.tracer, meter: sdk.meter });
    if (new URL(request.url).pathname === "/story") {
      await tellStory(observer);
    } else {
      const parley = new Parley({ driver: memoryDriver(), workflows: [flow], observer });
      const { status } = await parleyHttp({ parley, auth: bearer("t0ken") }).fetch(request);
      await parley.idle();
      if (status !== 201) return new Response(null, { status });
    }
    return Response.json(sdk.spans());
  },
};
