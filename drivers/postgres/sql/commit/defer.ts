/**
 * Waits that a commit defers because its answer is full.
 *
 * @module
 */

import { MAX_OUTCOMES_BYTES } from "../sizes.ts";

/** The types of operations that may have to wait, as a list of SQL. */
export const WAIT_TYPES = "('receive', 'observeEvent', 'observeResult', 'sleep', 'pause')";

/**
 * Returns the part of a loop over operations that defers a wait if the answer is full. The loop
 * then goes on to the next operation.
 *
 * A full answer has an outcome, and more than {@linkcode MAX_OUTCOMES_BYTES} bytes of earlier
 * outcomes and of repeated parts of the request. This depends only on the request and on recorded
 * entries, so a repeat of the commit defers the same waits.
 */
export function defer(s: string): string {
  return `    if has_outcome and kind in ${WAIT_TYPES} then
      echoed_bytes := coalesce(echoed_bytes, ${s}.echoed_bytes_v1(operations));
      is_deferring := is_deferring or echoed_bytes + outcome_bytes > ${MAX_OUTCOMES_BYTES};
      if is_deferring then
        results := array_append(results, '{"deferred": true}'::json);
        continue;
      end if;
    end if;`;
}
