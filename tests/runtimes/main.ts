/**
 * The program's entry point in Node and Bun.
 *
 * @module
 */

import process from "node:process";
import { main } from "./program.ts";

console.log(`done: ${await main(process.argv.slice(2))} checks`);
