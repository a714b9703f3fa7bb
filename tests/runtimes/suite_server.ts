/**
 * The adapter for the suites, in Deno: the worker that they have, served.
 *
 * @module
 */

import worker from "../workerd/entries/suite.ts";

/** What workers have and Deno needs not: here a process lives until it is killed. */
const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: undefined };

/** What this process may do. */
async function permitted(): Promise<string[]> {
  const names = ["net", "env", "read", "write", "run", "sys", "ffi"] as const;
  const states = await Promise.all(names.map((name) => Deno.permissions.query({ name })));
  return names.filter((_, index) => states[index]?.state === "granted");
}

Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.env.get("PORT")), onListen: () => console.log("ready") },
  async (request) => {
    if (new URL(request.url).pathname === "/permitted") return Response.json(await permitted());
    return await worker.fetch(request, {}, context);
  },
);
