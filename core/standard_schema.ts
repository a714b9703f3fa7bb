/**
 * The part of the Standard Schema interface, version 1, that Parley uses. Schemas of Valibot, Zod
 * and ArkType implement it.
 *
 * The interface is published at https://standardschema.dev. Its authors recommend copying it, to
 * avoid a dependency. The copy also appears in the documentation, beside the types that use it.
 *
 * @module
 */

/**
 * A schema from any library that implements Standard Schema.
 *
 * @category Values
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  /** The schema's properties. */
  readonly "~standard": StandardSchemaV1.Props<Input, Output>;
}

/** The types that belong to {@linkcode StandardSchemaV1}. */
export declare namespace StandardSchemaV1 {
  /** The properties of a schema. */
  export interface Props<Input = unknown, Output = Input> {
    /** The version of the standard. */
    readonly version: 1;
    /** The library that made the schema. */
    readonly vendor: string;
    /** Checks a value, and returns the result or a promise of it. */
    readonly validate: (value: unknown) => Result<Output> | Promise<Result<Output>>;
    /** The types, for the type checker alone. Absent at run time. */
    readonly types?: Types<Input, Output> | undefined;
  }

  /** The result of a check. */
  export type Result<Output> = SuccessResult<Output> | FailureResult;

  /** The result for a value that passes. */
  export interface SuccessResult<Output> {
    /** The value that the schema returns. */
    readonly value: Output;
    /** Absent. */
    readonly issues?: undefined;
  }

  /** The result for a value that fails. */
  export interface FailureResult {
    /** The faults of the value. */
    readonly issues: readonly Issue[];
  }

  /** A fault of the value. */
  export interface Issue {
    /** The fault, in words. */
    readonly message: string;
    /** The place in the value. */
    readonly path?: readonly (PropertyKey | PathSegment)[] | undefined;
  }

  /** A segment of a path. */
  export interface PathSegment {
    /** The key. */
    readonly key: PropertyKey;
  }

  /** The types of a schema. */
  export interface Types<Input = unknown, Output = Input> {
    /** The type of a value before the check. */
    readonly input: Input;
    /** The type of the value that the schema returns. */
    readonly output: Output;
  }
}

/**
 * A schema whose types are `In` and `Out`. If a caller gives `Out` explicitly, the compiler does not
 * infer `In`, and every schema with this output fits.
 *
 * @category Values
 */
export type AnySchema<In, Out> = StandardSchemaV1<In, Out> | StandardSchemaV1<unknown, Out>;
