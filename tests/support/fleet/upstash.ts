/**
 * How the processes of a fleet reach Upstash.
 *
 * @module
 */

import { upstashDriver } from "../../../drivers/upstash/mod.ts";
import type { OpenDriver } from "./mod.ts";

/** The argument of {@linkcode openDriver}, as JSON. */
export interface UpstashArgument {
  readonly url: string;
  readonly token: string;
  readonly prefix: string;
  /** The probability that a process has push. */
  readonly push: number;
}

/** `argument`: an {@linkcode UpstashArgument}. */
export const openDriver: OpenDriver = (argument) => {
  const { url, token, prefix, push }: UpstashArgument = JSON.parse(argument);
  return { driver: upstashDriver({ url, token }, { prefix, push: Math.random() < push, requestTimeout: "3s" }) };
};
