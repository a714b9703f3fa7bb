/**
 * Every route there is.
 *
 * @module
 */

import type { Route } from "../route.ts";
import { messageRoutes } from "./messages.ts";
import { scheduleRoutes } from "./schedule.ts";
import { workflowRoutes } from "./workflows.ts";

/** In the order of the documentation. */
export const ROUTES: readonly Route[] = [...workflowRoutes, ...messageRoutes, ...scheduleRoutes];
