/**
 * Keeps unhandled rejections with the library's own errors from ending the process.
 *
 * When a workflow is cancelled, its code gets `WorkflowCancelledError`, so that it can clean up.
 * Code that nobody awaits gets the error too: `void ctx.recv("x").then(f)`, or an `async` function
 * in the background. So does code in the background that uses the signal of a step whose time is
 * up. The library cannot tell which promises are not awaited, and an unhandled
 * rejection ends a process in Deno and Node. So the library remembers its own error objects, and a
 * rejection with one of them counts as handled.
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

const tolerated = new WeakSet<object>();
let isListening = false;

/**
 * Lets the process continue if nobody handles a rejection with this error, or with an error whose
 * `cause` it is. The first call adds a listener for unhandled rejections. Rejections with other
 * errors end the process as before.
 *
 * @param error The error.
 * @returns The error.
 */
export function tolerate<E extends Error>(error: E): E {
  tolerated.add(error);
  if (!isListening) listen();
  isListening = true;
  return error;
}

/**
 * Lets the process continue if an operation fails that the workflow's code does not await, or not
 * yet.
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
  if (tolerated.has(reason)) return true;
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
      // With a listener, Node no longer ends the process. So if this is the only one, it throws the
      // other errors again, which ends the process.
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
