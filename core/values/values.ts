/**
 * Validates, encodes, size-checks and decodes every stored value.
 *
 * @module
 */

import { type Clock, systemClock } from "../time/clock.ts";
import { type Codec, devalueCodec, missingType } from "./codec.ts";
import { keptError, MAX_MESSAGE_LENGTH } from "./kept_error.ts";
import { isError, reviveError, serializeError } from "./serialized_error.ts";
import type { DriverLimits } from "../driver/driver.ts";
import { UnreadableValueError, ValidationError, ValueTooLargeError } from "../errors.ts";
import { describeIssues, toSafeIssues } from "./safe_issue.ts";
import { snapshot } from "./snapshot.ts";
import { toUntraced, withoutTraceparent, withTraceparent } from "./marked_text.ts";
import type { StandardSchemaV1 } from "../standard_schema.ts";
import { withTimeLimit } from "../time/time_limit.ts";

/** The longest time that an asynchronous schema may take. */
const MAX_CHECK_MS = 10_000;

/**
 * An upper bound for the bytes of a UTF-16 unit in a request. A control character that is escaped
 * twice takes 7.
 */
const MAX_BYTES_PER_UNIT = 8;

/** Checks, encodes and decodes values. */
export class Values {
  readonly #codec: Codec;
  readonly #limit: number;
  readonly #clock: Clock | undefined;
  readonly #travel: DriverLimits | undefined;

  /**
   * Creates a `Values`.
   *
   * @param codec The codec.
   * @param limit The largest size of an encoded value, in bytes of UTF-8.
   * @param clock The clock that limits the time of asynchronous schemas. Default the runtime's.
   * @param travel How much a request to the store may carry. Default any amount.
   */
  constructor(codec: Codec, limit: number, clock?: Clock, travel?: DriverLimits) {
    this.#codec = codec;
    this.#limit = limit;
    this.#clock = clock;
    this.#travel = travel;
  }

  /**
   * Takes a value at once, so that later changes to the value have no effect.
   *
   * @param value The value.
   * @param what What the value is, for the error.
   * @param schema The schema that checks the value, if there is one.
   * @returns A function that returns the encoded value, as a promise if the schema is asynchronous.
   * It throws a `ValidationError` if the schema refuses the value or takes longer than 10 s. With a
   * schema, it also throws the errors of encoding.
   * @throws {ValidationError} If there is no schema and the value cannot be encoded, or if an
   * `EncodedValue` may not be stored.
   * @throws {ValueTooLargeError} If there is no schema and the encoded value is larger than the
   * limit.
   */
  take(
    value: unknown,
    what: string,
    schema: StandardSchemaV1<unknown, unknown> | undefined,
  ): () => string | Promise<string> {
    if (!schema) {
      const text = this.encode(value, what);
      return () => text;
    }
    const taken = EncodedValue.is(value) ? value.decode(what) : snapshot(value);
    return () => andThen(check(schema, taken, what, this.#clock), (valid) => this.encode(valid, what));
  }

  /**
   * Encodes a value.
   *
   * @param value The value.
   * @param what What the value is, for the error.
   * @returns The encoded value.
   * @throws {ValidationError} If the value cannot be encoded.
   * @throws {ValueTooLargeError} If the encoded value is larger than the limit.
   */
  encode(value: unknown, what: string): string {
    const encoded = EncodedValue.is(value) ? value : undefined;
    if (encoded && this.#codec !== devalueCodec) return this.encode(encoded.decode(what), what);
    const text = encoded?.text ?? this.#toText(value, what);
    const bytes = utf8Length(text, this.#limit);
    if (bytes > this.#limit) throw new ValueTooLargeError(what, bytes, this.#limit);
    this.checkTravel([text], what);
    encoded?.decode(what);
    return toUntraced(text);
  }

  /**
   * Adds a trace to an encoded input or message. {@linkcode Values.decode} leaves it out again.
   *
   * @param text The encoded value.
   * @param traceparent The trace, if there is one.
   * @returns The text, without the trace if both together cannot travel to the store in one request.
   */
  trace(text: string, traceparent: string | undefined): string {
    if (traceparent === undefined) return text;
    const traced = withTraceparent(text, traceparent);
    return this.#canTravel([traced]) ? traced : text;
  }

  /**
   * Checks that values can travel to the store in one request.
   *
   * @param texts The encoded values.
   * @param what What the values are, for the error.
   * @throws {ValueTooLargeError} If they cannot. The error's size includes all escapes of the
   * request.
   */
  checkTravel(texts: readonly string[], what: string): void {
    if (!this.#travel || this.#canTravel(texts)) return;
    throw new ValueTooLargeError(
      `${what} for a request to the store`,
      this.#travelBytes(texts),
      this.#travel.requestBytes,
    );
  }

  #canTravel(texts: readonly string[]): boolean {
    if (!this.#travel) return true;
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    // Most values are so small that their bytes need not be counted exactly.
    return length * MAX_BYTES_PER_UNIT <= this.#travel.requestBytes ||
      this.#travelBytes(texts) <= this.#travel.requestBytes;
  }

  #travelBytes(texts: readonly string[]): number {
    return texts.reduce((sum, text) => sum + this.#travel!.bytesOf(text), 0);
  }

  /**
   * Decodes a value.
   *
   * @param text The encoded value.
   * @param what What the value is, for the error.
   * @param at The value's offset or version, for the error.
   * @returns The value.
   * @throws {UnreadableValueError} If the value cannot be decoded here.
   */
  decode(text: string, what: string = "value", at?: number): unknown {
    const encoded = withoutTraceparent(text);
    try {
      return this.#codec.decode(encoded);
    } catch {
      // No cause, because a decoder's error may quote the text.
      const needs = missingType(encoded);
      throw new UnreadableValueError(what, { ...(at !== undefined && { at }), ...(needs !== undefined && { needs }) });
    }
  }

  /**
   * Encodes a thrown value. It never fails. It leaves out the parts that cannot be stored, and the
   * largest parts if the error is too large. As a last resort it keeps only the name and the
   * beginning of the message.
   */
  encodeError(error: unknown): string {
    const sizeOf = (value: unknown) => {
      try {
        return utf8Length(this.#codec.encode(value), 0);
      } catch {
        return undefined;
      }
    };
    for (
      const attempt of [
        () => error,
        () => isError(error) ? keptError(error, sizeOf, this.#limit) : bare(error),
        () => bare(error),
      ]
    ) {
      try {
        return this.encode(attempt(), "error");
      } catch {
        // The next attempt leaves out more.
      }
    }
    return toUntraced(this.#codec.encode(new Error("The error could not be encoded")));
  }

  #toText(value: unknown, what: string): string {
    try {
      return this.#codec.encode(value);
    } catch (error) {
      // No cause, because a serialiser's error may hold the value itself.
      const { message, path }: { message?: unknown; path?: unknown } = Object(error);
      const where = typeof path === "string" && /^[\w.$[\]]+$/.test(path) ? ` at ${path}` : "";
      const reason = error instanceof Error && error.name === "DevalueError"
        ? `${message}${where}`
        : "the codec refused it";
      throw new ValidationError(
        `Encoding the ${what}: ${reason}. It must be made of JSON values and the other types that Parley can store`,
      );
    }
  }
}

/**
 * Checks a value with a schema.
 *
 * @param schema The schema.
 * @param value The value.
 * @param what What the value is, for the error.
 * @returns The value that the schema returns.
 * @throws {ValidationError} If the schema refuses the value, or takes longer than 10 s. The message
 * has the places and the schema's words, but not the value.
 */
export async function validate<T>(schema: StandardSchemaV1<unknown, T>, value: unknown, what: string): Promise<T> {
  return await check(schema, value, what);
}

/** Checks as {@linkcode validate} does, without a promise unless the schema is asynchronous. */
export function check<T>(
  schema: StandardSchemaV1<unknown, T>,
  value: unknown,
  what: string,
  clock?: Clock,
): T | Promise<T> {
  const result = schema["~standard"].validate(value);
  return andThen(result instanceof Promise ? inTime(result, what, clock) : result, (it) => accepted(it, value, what));
}

/** Rejects if a schema takes too long, because the check delays all later operations of its run. */
function inTime<T>(result: Promise<T>, what: string, clock: Clock = systemClock): Promise<T> {
  const error = () =>
    new ValidationError(
      `Checking the ${what}: its schema must settle within ${MAX_CHECK_MS / 1_000} s, and has not`,
    );
  return withTimeLimit({ ms: MAX_CHECK_MS, clock, error }, () => result);
}

function accepted<T>(result: StandardSchemaV1.Result<T>, value: unknown, what: string): T {
  if (!result.issues) return result.value;
  const issues = toSafeIssues(result.issues, value);
  const described = describeIssues(issues);
  throw new ValidationError(`Checking the ${what}: its schema refuses it${described && ` ${described}`}`, issues);
}

/**
 * Calls `next` with the value. If the value is not a promise, it does so at once. So an operation
 * with a synchronous schema is queued in the same turn as its call.
 */
export function andThen<T, R>(value: T | Promise<T>, next: (value: T) => R): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Reduces a thrown value to a name and the beginning of its message. */
function bare(error: unknown): Error {
  if (!isError(error)) return new Error(`A thrown ${typeof error} that cannot be encoded`);
  const { name, message } = serializeError(error);
  return reviveError({ name: name.slice(0, MAX_MESSAGE_LENGTH), message: message.slice(0, MAX_MESSAGE_LENGTH) });
}

/**
 * Returns the length of a text in UTF-8. If the text fits the limit even at 3 bytes for each UTF-16
 * unit, only its units are counted.
 */
export function utf8Length(text: string, limit: number): number {
  return text.length * 3 <= limit ? text.length : new TextEncoder().encode(text).length;
}

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
