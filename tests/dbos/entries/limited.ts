/**
 * The site in Deno, with the permissions of an edge platform.
 *
 * @module
 */

import site, { type Env } from "./site.ts";

const env: Env = {
  DATABASE: Deno.env.get("DATABASE")!,
  NEON_HTTP: Deno.env.get("NEON_HTTP")!,
  NEON_WEBSOCKET: Deno.env.get("NEON_WEBSOCKET")!,
};

Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.env.get("PORT")), onListen: () => console.log("ready") },
  (request) => site.fetch(request, env),
);
