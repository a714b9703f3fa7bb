/**
 * How the processes of a fleet reach Neon.
 *
 * @module
 */

import { neonDriver } from "../../../drivers/neon/mod.ts";
import type { OpenDriver } from "./mod.ts";

/** `argument`: the connection string, the schema and the endpoint, as JSON. */
export const openDriver: OpenDriver = (argument) => {
  const { url, schema, endpoint }: { url: string; schema: string; endpoint: { http: string; websocket: string } } = JSON
    .parse(argument);
  return { driver: neonDriver(url, { schema, endpoint, push: true, requestTimeout: "3s" }) };
};
