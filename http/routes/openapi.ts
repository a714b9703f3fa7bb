/**
 * The description of the adapter, for tools.
 *
 * @module
 */

import * as v from "valibot";
import { pathOf } from "../path.ts";
import { type Route, route } from "../route.ts";

/** The routes. */
export const openapiRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/openapi.json",
    action: "info",
    summary: "This document",
    responses: {
      200: { description: "The document, OpenAPI 3.1", schema: v.looseObject({ openapi: v.string() }), content: ["application/json"] },
    },
  }, async ({ c }) => {
    // When it is asked for, which is seldom: neither the conversion nor what converts costs a start anything.
    const [{ toDocument }, { ROUTES }] = await Promise.all([import("../openapi.ts"), import("./mod.ts")]);
    const mount = pathOf(c.req.url).replace(/\/openapi\.json$/, "");
    return Response.json(toDocument(ROUTES, mount), { headers: { "cache-control": "no-store" } });
  }),
];
