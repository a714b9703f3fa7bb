/**
 * The content types of the library's own encoding, for both sides.
 *
 * @module
 */

/** A body in the library's own encoding, devalue's format. */
export const PARLEY_JSON = "application/vnd.parley+json";
/** Lines of it. */
export const PARLEY_NDJSON = "application/vnd.parley+ndjson";
