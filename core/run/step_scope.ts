/**
 * Tells whether the running code belongs to a step, and of which run. Some runtimes cannot tell
 * after an await.
 *
 * @module
 */

/**
 * The part of an async-context variable that is used here. It is the interface of the proposed
 * `AsyncContext.Variable`.
 */
interface Variable<T> {
  run<R>(value: T, code: () => R): R;
  get(): T | undefined;
}

/** A value that follows code through its awaits. */
export class AsyncScope<T> {
  readonly #variable: Variable<T> = nativeVariable<T>() ?? new SyncVariable<T>();

  /** Runs code with the value. */
  run<R>(value: T, code: () => R): R {
    return this.#variable.run(value, code);
  }

  /** The value for the running code; `undefined` outside of `run`. */
  get(): T | undefined {
    return this.#variable.get();
  }
}

/** Without async context, a value is known only until the first await of the code. */
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

/**
 * Looks for `AsyncContext` and `AsyncLocalStorage` at run time, because an import would fail in
 * runtimes without the module. Deno, Node, Bun, and Workers with `nodejs_compat` have at least one
 * of the two.
 */
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

/** The run whose step the running code belongs to. */
export const currentStep: AsyncScope<object> = new AsyncScope();
