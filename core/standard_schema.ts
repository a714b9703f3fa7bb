/**
 * The Standard Schema interface, version 1, as published at https://standardschema.dev: the part that Parley uses.
 * Copied, as its authors propose, so that it needs no dependency and is documented with the types that use it. Valibot, Zod and ArkType schemas implement it.
 *
 * @module
 */

/**
 * A schema of any library that implements Standard Schema.
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
    /** Checks a value. */
    readonly validate: (value: unknown) => Result<Output> | Promise<Result<Output>>;
    /** Types only; never there at run time. */
    readonly types?: Types<Input, Output> | undefined;
  }

  /** What a check found. */
  export type Result<Output> = SuccessResult<Output> | FailureResult;

  /** The value is right. */
  export interface SuccessResult<Output> {
    /** The value, as the schema returns it. */
    readonly value: Output;
    /** Not there. */
    readonly issues?: undefined;
  }

  /** The value is wrong. */
  export interface FailureResult {
    /** What is wrong. */
    readonly issues: readonly Issue[];
  }

  /** One thing that is wrong. */
  export interface Issue {
    /** In words. */
    readonly message: string;
    /** Where. */
    readonly path?: readonly (PropertyKey | PathSegment)[] | undefined;
  }

  /** One step of a path. */
  export interface PathSegment {
    /** The key. */
    readonly key: PropertyKey;
  }

  /** The types of a schema. */
  export interface Types<Input = unknown, Output = Input> {
    /** What goes in. */
    readonly input: Input;
    /** What comes out. */
    readonly output: Output;
  }
}
