/**
 * Values that arrive encoded.
 *
 * @module
 */

/**
 * A value in the encoding of `devalueCodec`, from elsewhere. Its text goes into the store as it is, so the value is decoded once, as a check,
 * and never encoded.
 */
export class EncodedValue {
  /** The encoded value. */
  readonly text: string;
  /** Decodes the value. `what` says what it is, for the error. It throws a `ValidationError` if the value may not be stored. */
  readonly decode: (what: string) => unknown;

  /** Whether a value is one of these. Unlike `instanceof`, it asks no proxy. */
  static is(value: unknown): value is EncodedValue {
    return typeof value === "object" && value !== null && #brand in value;
  }

  readonly #brand = true;

  /**
   * Makes it.
   *
   * @param text The encoded value.
   * @param decode Decodes it, and throws if it may not be stored.
   */
  constructor(text: string, decode: (what: string) => unknown) {
    this.text = text;
    this.decode = decode;
  }
}
