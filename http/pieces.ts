/**
 * How live text is cut.
 *
 * @module
 */

/** The longest piece that is made at once, in characters, about: who reads slowly has no more than that kept beside the values themselves. */
export const PIECE: number = 2 ** 16;
