/**
 * The conditions by which claims find workflows that are due.
 *
 * @module
 */

/** The condition of the index of waits that have a deadline and of pauses. */
export const TIMED = "w.phase in ('suspended', 'parked') and w.due_at is not null";

/** Whether a workflow is due because its deadline or its pause has passed. */
export const OVER = "w.phase in ('suspended', 'parked') and w.due_at <= now";

/**
 * The names of which a wait or a pause is over, from the first one. Each name is searched by
 * itself, because the index has the name before due_at.
 */
export const NAMES_WITH_TIMES = "unnest((times).names, (times).names_from) as n (name, first)";
export const OF_NAME = "w.name = n.name and w.due_at >= n.first";
export const KNOWN = "array_position(names, n.name) is not null";

/**
 * Whether a workflow is due because its lease has lapsed. It does not name the phase, because
 * Postgres would then read the whole index of owners.
 */
export const LAPSED = "w.lease_ms is not null and w.due_at <= now and w.lease_until <= now";

/**
 * The leases of one length that may have lapsed, from the first one. Each length is searched by
 * itself, because the index has the length before due_at.
 */
export const LEASES = "unnest((times).lengths, (times).firsts) as l (lease_ms, first)";
export const OF_LENGTH = "w.lease_ms = l.lease_ms and w.due_at >= l.first";

/** Whether a claim may take a workflow of a name that it knows. */
export const FREE = "array_position(except_ids, w.id) is null";

/**
 * Whether a claim may take a workflow. Names are compared in a way that no index serves. Postgres
 * would read the index of names for all workflows of a name, and that may be every workflow.
 */
export const WANTED = `array_position(names, w.name) is not null and ${FREE}`;
