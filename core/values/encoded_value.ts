/**
 * Values that arrive already encoded.
 *
 * @module
 */

/**
 * A value from elsewhere, already in the encoding of `devalueCodec`. If the `Parley` uses that
 * codec and no schema checks the value, its text goes into the store unchanged. Then the value is
 * decoded once, as a check, and not encoded again.
 */
export class EncodedValue {
  /** The encoded value. */
  readonly text: string;
  /**
   * Decodes the value. `what` names the value for the error. It throws a `ValidationError` if the
   * value may not be stored.
   */
  readonly decode: (what: string) => unknown;

  /** Returns whether a value is an `EncodedValue`. Unlike `instanceof`, it runs no code of a proxy. */
  static is(value: unknown): value is EncodedValue {
    return typeof value === "object" && value !== null && #brand in value;
  }

  readonly #brand = true;

  /**
   * Creates the value.
   *
   * @param text The encoded value.
   * @param decode Decodes the value, and throws if it may not be stored.
   */
  constructor(text: string, decode: (what: string) => unknown) {
    this.text = text;
    this.decode = decode;
  }
}
