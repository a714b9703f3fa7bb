/**
 * A Worker that lacks the entry point which the alarm calls.
 *
 * @module
 */

import { durableObjectDriver, type ObjectNamespace } from "@parley/parley/durable-object";

export { ParleyObject } from "@parley/parley/durable-object";

interface Env {
  readonly PARLEY: ObjectNamespace;
}

export default {
  async fetch(_request: Request, env: Env): Promise<Response> {
    try {
      return Response.json(await durableObjectDriver(env.PARLEY).readWorkflow("w"));
    } catch (error) {
      return new Response((error as Error).message, { status: 500 });
    }
  },
};
