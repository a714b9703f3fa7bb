/**
 * The description of the adapter, for tools.
 *
 * @module
 */

import * as v from "valibot";
import { pathOf } from "../protocol.ts";
import { type Route, route } from "./route.ts";

/**
 * The route of the document.
 *
 * @param described All routes there are, when it is asked for.
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
    // When it is asked for, which is seldom: neither the conversion nor what converts costs a start anything.
    const { toDocument } = await import("./document.ts");
    const mount = pathOf(c.req.url).replace(/\/openapi\.json$/, "");
    return Response.json(toDocument(described(), mount), { headers: { "cache-control": "no-store" } });
  }),
];
