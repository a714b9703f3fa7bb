/**
 * The way of every value into the store and out of it: schema, encoding, size limit.
 *
 * @module
 */

import { type Clock, systemClock } from "../time/clock.ts";
import { type Codec, devalueCodec, missingType } from "./codec.ts";
import { EncodedValue } from "./encoded_value.ts";
import { keptError, MAX_MESSAGE_LENGTH } from "./kept_error.ts";
import { isError, reviveError, serializeError } from "./serialized_error.ts";
import type { DriverLimits } from "../driver/driver.ts";
import { UnreadableValueError, ValidationError, ValueTooLargeError } from "../errors.ts";
import { toSafeIssue } from "./safe_issue.ts";
import { snapshot } from "./snapshot.ts";
import type { StandardSchemaV1 } from "../standard_schema.ts";
import { withTimeLimit } from "../time/time_limit.ts";

/** How long an asynchronous schema may take. */
const MAX_CHECK_MS = 10_000;

/** No way to a store makes more bytes of a UTF-16 unit: a control character that is escaped twice takes seven. */
const MAX_BYTES_PER_UNIT = 8;

/** Checks, encodes and decodes values. */
export class Values {
  readonly #codec: Codec;
  readonly #limit: number;
  readonly #clock: Clock | undefined;
  readonly #travel: DriverLimits | undefined;

  /**
   * Makes it.
   *
   * @param codec How values become text.
   * @param limit The largest encoded value, in bytes of UTF-8.
   * @param clock Measures how long an asynchronous schema takes; default the runtime's.
   * @param travel How much a request to the store may carry; default any amount.
   */
  constructor(codec: Codec, limit: number, clock?: Clock, travel?: DriverLimits) {
    this.#codec = codec;
    this.#limit = limit;
    this.#clock = clock;
    this.#travel = travel;
  }

  /**
   * Takes a value at once, so that later changes of it do not count.
   *
   * @param value The value.
   * @param what What it is, for the error.
   * @param schema Checks it, where there is one.
   * @returns Gives the encoded value, at once unless the schema is asynchronous.
   * @throws {ValidationError} If it cannot be encoded; what this returns also throws it, if the schema refuses the value or takes longer than 10 s.
   * @throws {ValueTooLargeError} If it is larger than the limit.
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
   * @param what What it is, for the error.
   * @throws {ValidationError} If it cannot be encoded.
   * @throws {ValueTooLargeError} If it is larger than the limit.
   */
  encode(value: unknown, what: string): string {
    const encoded = EncodedValue.is(value) ? value : undefined;
    if (encoded && this.#codec !== devalueCodec) return this.encode(encoded.decode(what), what);
    const text = encoded?.text ?? this.#toText(value, what);
    const bytes = utf8Length(text, this.#limit);
    if (bytes > this.#limit) throw new ValueTooLargeError(what, bytes, this.#limit);
    this.checkTravel([text], what);
    encoded?.decode(what);
    return text;
  }

  /**
   * Checks that values can travel to the store in one request.
   *
   * @param texts The encoded values.
   * @param what What they are, for the error.
   * @throws {ValueTooLargeError} If they cannot. It tells their size with all the escapes of the way.
   */
  checkTravel(texts: readonly string[], what: string): void {
    if (!this.#travel) return;
    const { requestBytes, bytesOf } = this.#travel;
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    // Most are far too small to be counted.
    if (length * MAX_BYTES_PER_UNIT <= requestBytes) return;
    const bytes = texts.reduce((sum, text) => sum + bytesOf(text), 0);
    if (bytes > requestBytes) throw new ValueTooLargeError(`${what}, as sent to the store,`, bytes, requestBytes);
  }

  /**
   * The value of a text.
   *
   * @param text The encoded value.
   * @param what What it is, for the error.
   * @param at Its offset or version, for the error.
   * @throws {UnreadableValueError} If it cannot be decoded here.
   */
  decode(text: string, what: string = "value", at?: number): unknown {
    try {
      return this.#codec.decode(text);
    } catch {
      // Without its cause: a decoder's error may quote the text.
      const needs = missingType(text);
      throw new UnreadableValueError(what, { ...(at !== undefined && { at }), ...(needs !== undefined && { needs }) });
    }
  }

  /**
   * Encodes what was thrown. It never fails. What cannot be stored is left out: one field, or the largest ones where the error is too large, at last
   * everything but the name and the beginning of the message.
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
    return this.#codec.encode(new Error("The error could not be encoded"));
  }

  #toText(value: unknown, what: string): string {
    try {
      return this.#codec.encode(value);
    } catch (error) {
      // Not as the cause: a serialiser's error may hold the value itself.
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
 * @returns The value as the schema returns it.
 * @throws {ValidationError} If the schema refuses it, or takes longer than 10 s. The message tells where, and not what was there.
 */
export async function validate<T>(schema: StandardSchemaV1<unknown, T>, value: unknown, what: string): Promise<T> {
  return await check(schema, value, what);
}

/** As {@linkcode validate}, at once unless the schema is asynchronous. */
export function check<T>(
  schema: StandardSchemaV1<unknown, T>,
  value: unknown,
  what: string,
  clock?: Clock,
): T | Promise<T> {
  const result = schema["~standard"].validate(value);
  return andThen(result instanceof Promise ? inTime(result, what, clock) : result, (it) => accepted(it, value, what));
}

/** Rejects when an asynchronous schema takes too long: it holds up every later operation of its run. */
function inTime<T>(result: Promise<T>, what: string, clock: Clock = systemClock): Promise<T> {
  const error = () =>
    new ValidationError(
      `Checking the ${what}: its schema has not settled after ${MAX_CHECK_MS / 1_000} s, and must do so`,
    );
  return withTimeLimit({ ms: MAX_CHECK_MS, clock, error }, () => result);
}

function accepted<T>(result: StandardSchemaV1.Result<T>, value: unknown, what: string): T {
  if (!result.issues) return result.value;
  const issues = result.issues.map((issue) => toSafeIssue(issue, value));
  const places = [...new Set(issues.flatMap(({ path }) => path?.length ? [path.map(shown).join(".")] : []))].slice(
    0,
    5,
  );
  throw new ValidationError(
    `Checking the ${what}: its schema refuses it${places.length ? ` at ${places.join(", ")}` : ""}`,
    issues,
  );
}

/** Goes on at once where there is no promise, so that an operation whose schema is not asynchronous is queued in the turn that called it. */
export function andThen<T, R>(value: T | Promise<T>, next: (value: T) => R): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** A segment of a path, for a message. What does not look like the name of a field may be data: the key of a record. */
function shown(segment: PropertyKey): string {
  return /^\w{1,40}$/.test(String(segment)) ? String(segment) : "…";
}

/** An error with a name and the beginning of its message alone. */
function bare(error: unknown): Error {
  if (!isError(error)) return new Error(`A thrown ${typeof error} that cannot be encoded`);
  const { name, message } = serializeError(error);
  return reviveError({ name: name.slice(0, MAX_MESSAGE_LENGTH), message: message.slice(0, MAX_MESSAGE_LENGTH) });
}

/** The length of a text in UTF-8. Exact only above the limit or where it costs nothing: a text is at most 3 bytes a unit. */
function utf8Length(text: string, limit: number): number {
  return text.length * 3 <= limit ? text.length : new TextEncoder().encode(text).length;
}
