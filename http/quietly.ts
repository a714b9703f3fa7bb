/**
 * Telling of errors, on both sides.
 *
 * @module
 */

/** Tells of errors, and is not concerned with whether that works: it is called where nobody could be told, and a rejection would end a process. */
export function quietly(onError: (error: unknown) => void): (error: unknown) => void {
  return async (error) => {
    try {
      // It may take its time, whatever its type says.
      await onError(error);
    } catch {
      // There is nobody left to tell.
    }
  };
}
