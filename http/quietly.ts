/**
 * Reports of errors, on both sides.
 *
 * @module
 */

/**
 * Reports errors and ignores failures of the report. No caller could handle such a failure, and an
 * unhandled rejection would end the process.
 */
export function quietly(onError: (error: unknown) => void): (error: unknown) => void {
  return async (error) => {
    try {
      // The callback may be asynchronous, whatever its type says.
      await onError(error);
    } catch {
      // There is nobody left to tell.
    }
  };
}
