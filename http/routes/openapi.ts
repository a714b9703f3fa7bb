/**
 * The route that describes the adapter to tools.
 *
 * @module
 */

import * as v from "valibot";
import { pathOf } from "../protocol.ts";
import { type Route, route } from "./route.ts";

/**
 * The route of the document.
 *
 * @param described Returns all routes. It is called when the document is requested.
 */
export const openapiRoutes = (described: () => readonly Route[]): readonly Route[] => [
  route({
    method: "get",
    path: "/openapi.json",
    action: "info",
    summary: "This document",
    responses: {
      200: {
        description: "The document, OpenAPI 3.1",
        schema: v.looseObject({ openapi: v.string() }),
        content: ["application/json"],
      },
    },
  }, async ({ c }) => {
    // The document is made on request, because requests for it are rare. So starting the server
    // costs nothing more.
    const { toDocument } = await import("./document.ts");
    const mount = pathOf(c.req.url).replace(/\/openapi\.json$/, "");
    return Response.json(toDocument(described(), mount), { headers: { "cache-control": "no-store" } });
  }),
];
