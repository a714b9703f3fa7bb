/**
 * Which step the code at hand belongs to, where the runtime can tell.
 *
 * @module
 */

/** The part of an async-context variable that is used. `AsyncLocalStorage` and the proposed `AsyncContext.Variable` both have `run`. */
interface Variable<T> {
  run<R>(value: T, code: () => R): R;
  get(): T | undefined;
}

/** A value that follows the code through its awaits. */
export class AsyncScope<T> {
  readonly #variable: Variable<T> = nativeVariable<T>() ?? new SyncVariable<T>();

  /** Runs code with the value. */
  run<R>(value: T, code: () => R): R {
    return this.#variable.run(value, code);
  }

  /** The value of the code that asks; `undefined` outside. */
  get(): T | undefined {
    return this.#variable.get();
  }
}

/** Without async context only what a function does before its first await can be told. */
class SyncVariable<T> implements Variable<T> {
  #value: T | undefined;

  run<R>(value: T, code: () => R): R {
    const before = this.#value;
    this.#value = value;
    try {
      return code();
    } finally {
      this.#value = before;
    }
  }

  get(): T | undefined {
    return this.#value;
  }
}

/** Found, not imported: the core must load where there is no such module. Deno, Node, Bun and Workers with `nodejs_compat` have one of them. */
function nativeVariable<T>(): Variable<T> | undefined {
  const { AsyncContext, process } = globalThis as {
    AsyncContext?: { Variable: new () => Variable<T> };
    process?: {
      getBuiltinModule?: (name: string) => { AsyncLocalStorage: new () => AsyncLocalStorage<T> } | undefined;
    };
  };
  if (AsyncContext) return new AsyncContext.Variable();
  const hooks = process?.getBuiltinModule?.("node:async_hooks");
  if (!hooks) return undefined;
  const storage = new hooks.AsyncLocalStorage();
  return { run: (value, code) => storage.run(value, code), get: () => storage.getStore() };
}

interface AsyncLocalStorage<T> {
  run<R>(value: T, code: () => R): R;
  getStore(): T | undefined;
}

/** The run in one of whose steps the code at hand is. */
export const currentStep: AsyncScope<object> = new AsyncScope();
