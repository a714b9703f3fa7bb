/**
 * The suites that use real DBOS apps. They share a process and a database for each version.
 *
 * @module
 */

import { startApps } from "./support/setting.ts";
import { operationsSuite } from "./suites/operations.ts";
import { rowsSuite } from "./suites/rows.ts";

const settings = await startApps();

operationsSuite(settings);
rowsSuite(settings);
