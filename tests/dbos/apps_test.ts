/**
 * The suites that use real DBOS apps. They share a process and a database for each version.
 *
 * @module
 */

import { startSharedServer } from "../drivers/neon/support/shared_server.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { startApps } from "./support/setting.ts";
import { costsSuite } from "./suites/costs.ts";
import { edgeSuite, startSites } from "./suites/edge.ts";
import { mountSuite } from "./suites/mount.ts";
import { operationsSuite } from "./suites/operations.ts";
import { pushSuite } from "./suites/push.ts";
import { rightsSuite } from "./suites/rights.ts";
import { rowsSuite } from "./suites/rows.ts";
import { troubleSuite } from "./suites/trouble.ts";

const [settings, neon] = await Promise.all([
  startApps(),
  startSharedServer({ postgres: await postgresUrl(), maxBytes: 2 ** 23 }),
]);
const sites = await startSites(settings[0]!, neon);

operationsSuite(settings);
costsSuite(settings);
rowsSuite(settings);
rightsSuite(settings, neon);
mountSuite(settings);
pushSuite(settings, neon);
edgeSuite(sites);
troubleSuite(settings);
