/**
 * Waits that a commit defers because its answer is full.
 *
 * @module
 */

import { MAX_OUTCOMES_BYTES } from "../sizes.ts";

/** The types of operations that may have to wait, as a list of SQL. */
export const WAITS = "('receive', 'observeEvent', 'observeResult', 'sleep', 'pause')";

/**
 * Returns the part of a loop over operations that defers a wait if the answer is full, and goes on
 * to the next operation.
 *
 * The answer is full once it has an outcome, and once the outcomes of earlier waits and what it
 * repeats of the request have more bytes than {@linkcode MAX_OUTCOMES_BYTES}. This depends on the
 * request and on recorded entries alone, so a repeat of the commit defers the same waits.
 */
export function defer(s: string): string {
  return `    if has_outcome and kind in ${WAITS} then
      echoed_bytes := coalesce(echoed_bytes, ${s}.echoed_bytes_v1(operations));
      is_deferring := is_deferring or echoed_bytes + outcome_bytes > ${MAX_OUTCOMES_BYTES};
      if is_deferring then
        results := array_append(results, '{"deferred": true}'::json);
        continue;
      end if;
    end if;`;
}
