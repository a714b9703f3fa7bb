/**
 * Runs the statements of a `POST /sql`, and makes the answer.
 *
 * @module
 */

import type { Client, Result } from "./client.ts";
import { CancelledError, connectFailure } from "./errors.ts";
import type { Pool } from "./pool.ts";
import { type Payload, type Settings, startTransaction, type Statement } from "./request.ts";

/** How long the proxy waits for a statement to end after a request to cancel it. */
const CANCEL_MS = 100;

/** The statements to run, and how to run them. */
export interface Execution {
  readonly pool: Pool;
  readonly settings: Settings;
  readonly payload: Payload;
  readonly maxBytes: number;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** Called before each statement of the client. */
  readonly onStatement: () => void;
}

/**
 * Runs the statement or the batch, and returns the body of the answer.
 *
 * @throws {DatabaseError | ProxyError | CancelledError}
 */
export async function execute(execution: Execution): Promise<unknown> {
  const { pool, settings: { login }, payload, signal } = execution;
  const client = await pool.acquire(login).catch((error) => {
    throw connectFailure(error, login.user);
  });
  let reusable = false;
  try {
    if (signal.aborted) throw new CancelledError();
    const answer = await (payload.batch ? runBatch(client, execution) : runSingle(client, execution));
    reusable = true;
    return answer;
  } catch (error) {
    // A failed batch was rolled back, so its session can be used again. After a single failed
    // statement the proxy closes the session.
    reusable = payload.batch && !(error instanceof CancelledError);
    throw error;
  } finally {
    // Neon resets a session after the answer. Here the session is reset before the answer, so that
    // tests can rely on it.
    await pool.release(client, login, reusable);
  }
}

async function runSingle(client: Client, execution: Execution): Promise<unknown> {
  const { payload: { statements: [statement] }, signal } = execution;
  if (!statement) throw new TypeError("A request has a statement");
  const running = run(client, statement, execution, execution.maxBytes);
  const outcome = await settledBefore(signal, running);
  if (outcome === "settled") return (await running).answer;
  await client.cancel().catch(() => {});
  const late = await withinMs(CANCEL_MS, running).catch(() => undefined);
  if (late) return late.answer;
  throw new CancelledError();
}

async function runBatch(client: Client, execution: Execution): Promise<unknown> {
  const { settings, payload: { statements }, maxBytes, signal } = execution;
  await client.run(startTransaction(settings));
  const running = (async () => {
    const results: unknown[] = [];
    let bytesLeft = maxBytes;
    for (const statement of statements) {
      if (signal.aborted) throw new CancelledError();
      const { answer, bytes } = await run(client, statement, execution, bytesLeft);
      results.push(answer);
      bytesLeft -= bytes;
    }
    return { results };
  })();
  try {
    if (await settledBefore(signal, running) === "aborted") throw new CancelledError();
    const answer = await running;
    await client.run("COMMIT");
    return answer;
  } catch (error) {
    if (error instanceof CancelledError) await client.cancel().catch(() => {});
    else await client.run("ROLLBACK").catch(() => client.close());
    throw error;
  }
}

async function run(client: Client, statement: Statement, execution: Execution, maxBytes: number) {
  execution.onStatement();
  const result = await client.query(statement.query, statement.params, maxBytes);
  return { answer: answerTo(result, statement.arrayMode ?? execution.settings.arrayMode), bytes: result.bytes };
}

function answerTo({ fields, rows, tag }: Result, rowAsArray: boolean): unknown {
  const [command = "", ...counts] = tag.split(" ");
  const count = command === "INSERT" ? counts[1] : counts[0];
  const rowCount = count !== undefined && /^\d+$/.test(count) ? Number(count) : null;
  const objects = () =>
    rows.map((row) => Object.fromEntries(row.map((value, index) => [fields[index]?.name ?? "", value])));
  return { fields, rows: rowAsArray ? rows : objects(), command, rowCount, rowAsArray };
}

/** Returns what comes first. A later rejection of the promise does not count as unhandled. */
async function settledBefore(signal: AbortSignal, promise: Promise<unknown>): Promise<"settled" | "aborted"> {
  const { promise: aborted, resolve } = Promise.withResolvers<"aborted">();
  const onAbort = () => resolve("aborted");
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  const settled = promise.then(() => "settled" as const, () => "settled" as const);
  try {
    return await Promise.race([settled, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function withinMs<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
