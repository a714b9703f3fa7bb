/**
 * The store in an object: calls, alarm and hints.
 *
 * @module
 */

import type { CommitRequest } from "../../core/driver/driver.ts";
import { DriverError, ValueTooLargeError } from "../../core/errors.ts";
import { type Clock, wallClock } from "../../core/time/clock.ts";
import { textMember } from "../foreign_error.ts";
import { Transaction } from "../sqlite/calls/transaction.ts";
import { type Database, openDatabase } from "../sqlite/database.ts";
import { driverError } from "../sqlite/failure.ts";
import { type MethodName, READS, WRITES } from "../sqlite/methods.ts";
import { migrate } from "../sqlite/schema.ts";
import { Alarm } from "./alarm.ts";
import { toFailure } from "./failure.ts";
import { bytesOf, MAX_VALUES_BYTES, WORKFLOW_VALUES } from "./limits.ts";
import type { ObjectContext } from "./platform.ts";
import type { EntrypointStub, ObjectAnswer, ObjectCall } from "./protocol.ts";
import { Sockets } from "./sockets.ts";

/** Internals that tests set. */
export interface ObjectInternals {
  /** The store's time. Default: the wall clock. */
  readonly storeClock?: Pick<Clock, "now">;
}

/** What the object itself has to remember. The alarm fires at `wake_at` even if no workflow is due. */
const OBJECT = `create table if not exists parley_object (
  id integer primary key check (id = 1),
  name text,
  wake_at integer
) strict`;

/** A method with its types taken off. */
type AnyMethod = (tx: Transaction, ...args: readonly unknown[]) => unknown;

/** The parts of a store that exist once it is set up. */
interface Opened {
  readonly database: Database;
  readonly alarm: Alarm;
}

/** One store in one object. */
export class ObjectStore {
  readonly #context: ObjectContext;
  readonly #entrypoint: EntrypointStub | null;
  readonly #now: () => number;
  readonly #sockets: Sockets;
  #opened: Opened | undefined;
  /** The alarm of the platform at the object's start. */
  #foundAlarm: number | null = null;
  #name: string | null = null;

  constructor(context: ObjectContext, entrypoint: unknown, { storeClock = wallClock }: ObjectInternals = {}) {
    this.#context = context;
    this.#entrypoint = entrypoint ? entrypoint as EntrypointStub : null;
    this.#now = () => storeClock.now();
    this.#sockets = new Sockets(context);
    void context.blockConcurrencyWhile(async () => {
      this.#foundAlarm = await context.storage.getAlarm().catch(() => null);
    });
  }

  /** Carries out a call of a Worker. It never throws. */
  call({ object, method, args }: ObjectCall): ObjectAnswer {
    if (!this.#entrypoint) reportNoEntrypoint(this.#context);
    try {
      const opened = this.#open();
      this.#remember(opened, object);
      if (this.#entrypoint) opened.alarm.look();
      return { value: this.#run(opened, method, args) };
    } catch (error) {
      const found = this.#opened ? rowError(this.#opened.database, method, args[0], error) : error;
      const shown = driverError(`Durable Object: ${method}`, found);
      // The Worker gets no cause. It shows only the place of a mistake in this driver.
      if (shown.cause !== undefined) console.error(shown);
      return { failure: toFailure(shown) };
    }
  }

  /** Subscribes to a target. */
  watch(request: Request): Response {
    return this.#sockets.accept(request);
  }

  /** Lets the Worker continue what is due. It never throws, because the platform then counts tries. */
  alarm(): void {
    if (!this.#entrypoint) return;
    try {
      const opened = this.#open();
      if (!this.#write(opened, () => opened.alarm.fired())) return;
      this.#context.waitUntil(this.#callBack(this.#entrypoint).catch((error) => console.error(error)));
    } catch (error) {
      console.error(driverError("Durable Object: alarm", error));
      void this.#context.storage.setAlarm(wallClock.now() + 1_000);
    }
  }

  /** The Worker answers before it begins. If it does not, the next alarm calls it again. */
  async #callBack(entrypoint: EntrypointStub): Promise<void> {
    const opened = this.#open();
    const { nextAt } = await entrypoint.continueDue({ object: this.#name ?? "", now: this.#now() });
    this.#write(opened, () => opened.alarm.wakeAt(nextAt ?? Infinity));
  }

  #open(): Opened {
    if (this.#opened) return this.#opened;
    const { storage } = this.#context;
    const database = openDatabase(storage);
    try {
      database.write(() => this.#setUp(database));
    } catch (error) {
      throw setUpError(error);
    }
    const alarm = new Alarm({ storage, database, now: this.#now });
    alarm.found(this.#foundAlarm);
    return this.#opened = { database, alarm };
  }

  #setUp(database: Database): void {
    migrate(database);
    database.run(OBJECT);
    database.run("insert or ignore into parley_object (id, wake_at) values (1, 0)");
    this.#name = database.all<{ name: string | null }>("select name from parley_object")[0]?.name ?? null;
  }

  /** Keeps the object's name for the alarm, which does not always know it. */
  #remember({ database }: Opened, name: string): void {
    if (this.#name === name) return;
    database.run("update parley_object set name = ?", name);
    this.#name = name;
  }

  /** Runs a transaction, which may set the alarm. */
  #write<T>({ database, alarm }: Opened, run: () => T): T {
    try {
      return database.write(run);
    } catch (error) {
      alarm.forget();
      throw error;
    }
  }

  #run(opened: Opened, method: ObjectCall["method"], args: readonly unknown[]): unknown {
    const { database, alarm } = opened;
    if (method === "migrate") return this.#entrypoint && this.#write(opened, () => alarm.wakeAt(0));
    const [name, request] = [method, args[0] as { leaseMs?: number | null } | undefined];
    if (Object.hasOwn(READS, name)) {
      const read = READS[name as keyof typeof READS] as AnyMethod;
      return database.read(() => read(new Transaction(database, this.#now()), ...args));
    }
    if (!Object.hasOwn(WRITES, name)) throw unknownMethod(name);
    const write = WRITES[name as keyof typeof WRITES] as AnyMethod;
    const [result, changed] = this.#write(opened, () => {
      const tx = new Transaction(database, this.#now());
      const result = write(tx, ...args);
      tx.save();
      if (this.#entrypoint) alarm.changed(tx, givesLease(result) ? request?.leaseMs ?? null : null);
      return [result, tx.changed] as const;
    });
    this.#sockets.hint(changed);
    return result;
  }
}

/** Says which migration is missing, if the class has no SQLite. */
function setUpError(error: unknown): unknown {
  if (!/new_sqlite_classes|SQL is not enabled/i.test(textMember(error, "message") ?? "")) return error;
  return new DriverError("Durable Object: the object's class must be among `new_sqlite_classes` in the migrations", {
    retryable: false,
  });
}

let hasReported = false;

/** Says once per isolate that the alarm calls nobody. A cron trigger may sweep in its place. */
function reportNoEntrypoint({ exports }: ObjectContext): void {
  if (hasReported) return;
  hasReported = true;
  const reason = exports === undefined
    ? "on compatibility dates before 2025-11-17, the Worker needs the service binding PARLEY_ENTRYPOINT to itself"
    : "the Worker has no export ParleyEntrypoint, which parleyEntrypoint() makes";
  console.warn(`Parley in a Durable Object: the alarm continues no workflows, because ${reason}`);
}

/** The error for a commit whose texts do not fit the workflow's row, which also has the input. */
function rowError(database: Database, method: string, request: unknown, error: unknown): unknown {
  if (method !== "commit" || !/SQLITE_TOOBIG/.test(textMember(error, "message") ?? "")) return error;
  const { workflowId, transition } = request as CommitRequest;
  const sql = "select octet_length(input) as bytes from parley_workflows where id = ?";
  const input = database.all<{ bytes: number }>(sql, workflowId)[0]?.bytes ?? 0;
  const texts = transition?.to === "end"
    ? [transition.output, transition.error]
    : transition?.to === "park"
    ? [transition.problem]
    : [];
  const bytes = texts.reduce((sum, text) => sum + bytesOf(text ?? ""), input);
  return new ValueTooLargeError(WORKFLOW_VALUES, bytes, MAX_VALUES_BYTES);
}

/** Whether a call has given a lease or renewed one, by its result. */
function givesLease(result: unknown): boolean {
  const { created, claimed, state } = result as { created?: boolean; claimed?: unknown[]; state?: string };
  return created === true || (claimed !== undefined && claimed.length > 0) || state === "held";
}

function unknownMethod(name: MethodName): DriverError {
  return new DriverError(`Durable Object: the object has no method ${JSON.stringify(name)}; its code may be older`, {
    retryable: true,
  });
}
