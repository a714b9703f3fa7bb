/**
 * All routes.
 *
 * @module
 */

import type { Route } from "./route.ts";
import { eventRoutes } from "./events.ts";
import { inspectRoutes } from "./inspect.ts";
import { liveRoutes } from "./live.ts";
import { messageRoutes } from "./messages.ts";
import { openapiRoutes } from "./openapi.ts";
import { scheduleRoutes } from "./schedule.ts";
import { streamRoutes } from "./streams.ts";
import { workflowRoutes } from "./workflows.ts";

/** All routes, in the order of the documentation. */
export const ROUTES: readonly Route[] = [
  ...workflowRoutes,
  ...inspectRoutes,
  ...messageRoutes,
  ...eventRoutes,
  ...streamRoutes,
  ...liveRoutes,
  ...scheduleRoutes,
  ...openapiRoutes(() => ROUTES),
];
