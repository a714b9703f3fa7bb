/**
 * Errors and warnings on the standard error, without secrets.
 *
 * @module
 */

import { ParleyError } from "../core/errors.ts";
import { CliError } from "./exit_codes.ts";
import { escapeText, toJson } from "./text.ts";

/** How a call reports. */
export interface Reporting {
  /** Whether it writes JSON. */
  readonly isJson: boolean;
  /** What the call must not show. It grows while the call reads its options. */
  readonly secrets: ReadonlySet<string>;
}

/** The line of an error that ends a command, or of a fault that it survives. */
export function reportLine(kind: "error" | "warning", error: unknown, { isJson, secrets }: Reporting): string {
  const message = withoutSecrets(describe(error), secrets);
  const code = error instanceof ParleyError ? error.code : error instanceof CliError ? "usage" : "failed";
  return `${isJson ? toJson({ [kind]: { code, message } }) : `parley: ${escapeText(message)}`}\n`;
}

function describe(error: unknown): string {
  if (error instanceof ParleyError || error instanceof CliError) return error.message;
  return error instanceof Error ? `Something failed: ${error.name}: ${error.message}` : "Something failed";
}

/** Parley's own messages have no secrets. Those of a client or a runtime may have. */
function withoutSecrets(text: string, secrets: ReadonlySet<string>): string {
  return [...secrets].toSorted((a, b) => b.length - a.length).reduce((rest, it) => rest.replaceAll(it, "***"), text);
}
