/**
 * Workflows with promises that nobody handles, for the test beside this file.
 *
 * @module
 */

import process from "node:process";
import { abandon, pass } from "./abandoned.ts";

const [, , kind] = process.argv;
const cleaned = await abandon();
if (kind === "foreign") void Promise.reject(new TypeError("of the user's own")).then(() => {});
await pass(100);
console.log(`alive, cleaned up: ${cleaned.join(" ")}`);
process.exit(0);
