/**
 * Keeps unhandled rejections with the library's own errors from ending the process.
 *
 * When a workflow is cancelled, its code gets `WorkflowCancelledError`, so that it can clean up.
 * Code that nobody awaits gets the error too: `void ctx.recv("x").then(f)`, or an `async` function
 * in the background. Likewise, code in the background that uses a step's signal gets `TimeoutError`
 * when the step's time is up. The library cannot tell which promises are not awaited, and an
 * unhandled rejection ends a process in Deno and Node. So the library remembers its own error
 * objects, and a rejection with one of them counts as handled.
 *
 * @module
 */

/** The part of `process` in Node and Bun that is used here. */
interface Process {
  on(event: "unhandledRejection", listener: (reason: unknown) => void): void;
  listenerCount(event: "unhandledRejection"): number;
  readonly execArgv?: readonly string[];
  readonly env?: Record<string, string | undefined>;
}

const toleratedErrors = new WeakSet<object>();
let isListening = false;

/**
 * Lets the process continue after an unhandled rejection with this error, or with one that has this
 * error as its `cause`. The first call adds a listener for unhandled rejections. Rejections with
 * other errors end the process as before.
 *
 * @param error The error.
 * @returns The error.
 */
export function tolerate<E extends Error>(error: E): E {
  toleratedErrors.add(error);
  if (!isListening) listen();
  isListening = true;
  return error;
}

/**
 * Returns a tolerated error that is made when it is first read. Few of these errors are ever read,
 * and it takes long to make the stack of an error.
 */
export function tolerated(make: () => Error): { readonly error: Error } {
  let made: Error | undefined;
  return {
    get error() {
      return made ??= tolerate(make());
    },
  };
}

/**
 * Keeps the failure of an operation from ending the process. The workflow's code may await the
 * operation later, or never.
 *
 * @param operation The operation's promise.
 * @returns The promise.
 */
export function unawaited<T>(operation: Promise<T>): Promise<T> {
  operation.catch(() => {});
  return operation;
}

/** Whether a rejection's reason is a tolerated error, or was caused by tolerated errors alone. */
function isTolerated(reason: unknown, depth: number = 0): boolean {
  if (typeof reason !== "object" || reason === null || depth > 10) return false;
  if (toleratedErrors.has(reason)) return true;
  if (reason instanceof AggregateError) {
    return reason.errors.length > 0 && reason.errors.every((it) => isTolerated(it, depth + 1));
  }
  return reason instanceof Error && isTolerated(reason.cause, depth + 1);
}

/** Deno, workerd and browsers have a global event. Node and Bun have an event of `process`. */
function listen(): void {
  const { addEventListener, process, Bun } = globalThis as {
    addEventListener?: (type: "unhandledrejection", listener: (event: PromiseRejectionEvent) => void) => void;
    process?: Process;
    Bun?: unknown;
  };
  if (addEventListener && Bun === undefined) {
    addEventListener("unhandledrejection", (event) => {
      if (!isTolerated(event.reason)) return;
      event.preventDefault();
      // In workerd the event cannot be prevented. It ends no process there, but other listeners may
      // log it.
      event.stopImmediatePropagation();
    });
  } else if (process) {
    process.on("unhandledRejection", (reason) => {
      // With a listener, Node no longer ends the process. So if there is no other listener, this
      // one rethrows any error that is not tolerated, which ends the process.
      if (!isTolerated(reason) && process.listenerCount("unhandledRejection") === 1 && endsProcess(process)) {
        throw reason;
      }
    });
  }
}

/** Whether an unhandled rejection ends the process, which an option of Node can turn off. */
function endsProcess({ execArgv = [], env = {} }: Process): boolean {
  return !/--unhandled-rejections[= ](none|warn)\b/.test([...execArgv, env.NODE_OPTIONS ?? ""].join(" "));
}
