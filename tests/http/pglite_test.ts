/**
 * Every route and every webhook over PGlite. In a file of its own: PGlite sets timers of its own at any time, which would count as leaks of whatever
 * test then runs.
 *
 * @module
 */

import { pgliteHarness, pgliteTest } from "../drivers/postgres/support/pglite.ts";
import { auth } from "./suites/auth.ts";
import { durableStreams } from "./suites/durable_streams.ts";
import { durableStreamsClient } from "./suites/durable_streams_client.ts";
import { edges } from "./suites/edges.ts";
import { events } from "./suites/events.ts";
import { live } from "./suites/live.ts";
import { names } from "./suites/names.ts";
import { requests } from "./suites/requests.ts";
import { routes } from "./suites/routes.ts";
import { streams } from "./suites/streams.ts";
import { liveStreams } from "./suites/streams_live.ts";
import { webhooks } from "./suites/webhooks.ts";

const SUITES = [
  routes,
  requests,
  auth,
  events,
  streams,
  liveStreams,
  live,
  durableStreams,
  durableStreamsClient,
  edges,
];
for (const suite of SUITES) suite(pgliteTest, pgliteHarness);
// Titles are unique in a file, and the suite has one that the one of requests has, too.
webhooks((name, fn) => pgliteTest(`webhooks: ${name}`, fn), pgliteHarness);
names(pgliteTest, pgliteHarness, { runs: 20 });
