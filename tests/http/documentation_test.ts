import assert from "node:assert/strict";
import type { ParleyErrorCode } from "../../core/errors.ts";
import { bearer } from "../../http/mod.ts";
import { toSettings } from "../../http/options.ts";
import { type HttpErrorCode, statusOf } from "../../http/wire/problem.ts";
import { ROUTES } from "../../http/routes/mod.ts";
import { memoryDriver, Parley } from "../../mod.ts";
import { read } from "../project/files.ts";

const DOCUMENT = read("docs/http.md");

/** Every code there is; the compiler sees to it. */
const CODES: Record<ParleyErrorCode | HttpErrorCode, true> = {
  timeout: true,
  workflow_not_found: true,
  workflow_ended: true,
  workflow_active: true,
  workflow_conflict: true,
  unknown_workflow: true,
  workflow_failed: true,
  workflow_cancelled: true,
  non_determinism: true,
  stream_closed: true,
  offset_out_of_range: true,
  version_out_of_range: true,
  invalid_value: true,
  value_too_large: true,
  idempotency_conflict: true,
  invalid_context: true,
  unsupported: true,
  unreadable_value: true,
  lease_lost: true,
  fatal: true,
  driver: true,
  unauthorized: true,
  forbidden: true,
  no_such_route: true,
  not_acceptable: true,
  body_too_large: true,
  body_too_slow: true,
  unsupported_media_type: true,
  internal: true,
};

/** The first two cells of the rows of a table, by its head. */
function rows(head: string): string[][] {
  const [, table = ""] = DOCUMENT.split(`${head}\n`);
  const lines = table.slice(0, table.indexOf("\n\n")).split("\n").slice(1);
  return lines.map((line) => line.split("|").slice(1, 3).map((cell) => cell.trim().replaceAll("`", "")));
}

Deno.test("docs/http.md has the status of every code", () => {
  const documented = rows("| Code | Status | When |").toSorted();
  const real = (Object.keys(CODES) as (keyof typeof CODES)[]).map((code) => [code, String(statusOf(code))]).toSorted();
  assert.deepEqual(documented, real);
});

Deno.test("docs/http.md has every route, with its action", () => {
  const real = ROUTES.map(({ spec: { method, path, action } }) => [`${method.toUpperCase()} ${path}`, action]);
  assert.deepEqual(rows("| Route | Action | Does |").toSorted(), real.toSorted());
});

Deno.test("docs/http.md has the default limits, and a live connection is silent for less than 10 s", () => {
  const settings = toSettings({ parley: new Parley({ driver: memoryDriver() }), auth: bearer("s3cret") });
  const { bodyLimit, bodyTimeoutMs, maxWaitMs, maxConnectionMs, heartbeatMs } = settings;
  const documented = (option: string) => new RegExp(`\\| (\\d+ \\w+) +\\| \`${option}\` +\\|`).exec(DOCUMENT)?.[1];
  assert.deepEqual(["bodyLimit", "bodyTimeout", "maxWait", "maxConnection", "heartbeat"].map(documented), [
    `${bodyLimit / 2 ** 20} MiB`,
    `${bodyTimeoutMs / 1_000} s`,
    `${maxWaitMs / 1_000} s`,
    `${maxConnectionMs / 60_000} min`,
    `${heartbeatMs / 1_000} s`,
  ]);
  assert(heartbeatMs < 10_000, "Bun cuts a connection that is silent for 10 s");
});
