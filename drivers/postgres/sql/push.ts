/**
 * Push: hints for connections that listen, about which targets have changed.
 *
 * Hints go by `NOTIFY`. A transaction with one holds a lock over all databases of the server while
 * it waits for the disk, so that such transactions commit one after the other. With ten runs at
 * once, they took 2.8 times as long as without. So a driver that has been heard calls procedures:
 * hints go in a transaction of their own, after the one that writes, and do not wait for the disk.
 * Both are in one request. If the second transaction fails or never begins, its hints are lost, and
 * waits poll.
 *
 * While nobody listens, and if a statement may be part of a transaction of the caller, the driver
 * calls the functions instead. The procedure takes a fifth of the time of a short function. The
 * answer to a function says whether it has sent hints, and the driver changes to the procedures.
 *
 * A call sends no hints while no connection listens. The table listeners has a row per connection,
 * which counts until the connection has been silent for a while.
 *
 * These times are real time, even in tests that move the store's clock. They belong to a
 * connection, and nothing durable depends on them.
 *
 * @module
 */

import { literal, type SchemaName } from "./schema_name.ts";
import { helper, type SqlPart } from "./sql_function.ts";

/** The hints of changes, and what the driver calls for a connection that listens. */
export const pushSql: readonly SqlPart[] = [notify, hint, callsWithHints, listen, settle, unlisten];

const CALLS_WITH_HINTS = ["create_v1", "claim_v1", "commit_v1", "send_v1", "control_v1", "delete_v1", "purge_v1"];

/** The setting with the hints of a transaction, as an array. It is empty outside of procedures. */
const HINTS = "'parley.hints'";

/** The setting that says that a transaction has sent hints with what it writes. */
export const HEARD = "'parley.heard'";

/** A hint of `due` is also sent for a due time that is nearer than this. */
export const MIN_UNHINTED_MS = 10_000;

/** Returns an expression that tells whether any connection listens. */
export function listening({ identifier: s }: SchemaName): string {
  return `exists (select from ${s}.listeners as l where l.until > pg_catalog.clock_timestamp())`;
}

/** Sends one hint for each of these targets, by name, and none for a null. */
function notify({ identifier: s, channel }: SchemaName): string {
  return helper(`
create function ${s}.notify_v1(targets text[]) returns void
language plpgsql volatile as
begin
  perform pg_notify('${channel}', t.target)
  from (
    select distinct given.target from unnest(targets) as given (target) where given.target is not null order by 1
  ) as t;
end;
`);
}

/**
 * Hints at each of these targets, and at none for a null. If a procedure for calls with hints has
 * begun this transaction, the hints follow its commit. Otherwise they are part of it. A hint has at
 * most 1,027 bytes, for a prefix such as `stream:` and an ID. Postgres allows 8,000.
 *
 * The caller checks first that some connection listens. The check costs a write less than the call
 * of a function.
 */
function hint({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.hint_v1(targets text[]) returns void
language plpgsql volatile as
declare
  noted constant text := current_setting(${HINTS}, true);
begin
  if noted <> '' then
    perform set_config(${HINTS}, (noted::text[] || targets)::text, true);
  else
    perform set_config(${HEARD}, 't', true);
    perform ${s}.notify_v1(targets);
  end if;
end;
`);
}

/** The calls that may send hints. Each is a function, and a procedure of {@linkcode withHints}. */
function callsWithHints(schema: SchemaName): string {
  return CALLS_WITH_HINTS.map((name) => withHints(schema, name, ["request jsonb"])).join("\n");
}

/**
 * Returns the SQL for a procedure that calls the function of the same name, and then sends the hints
 * that the function has noted. It has two more parameters: the answer as a text, and `t` if there
 * were hints.
 *
 * A procedure can commit, but in a block of the caller it must not. No SQL tells whether there is
 * one: in the extended protocol, a statement by itself also begins later than its transaction. So a
 * statement that may be in a block calls the function.
 *
 * @param parameters The names of the function's parameters, each with its type.
 */
export function withHints({ identifier: s }: SchemaName, name: string, parameters: readonly string[]): string {
  const names = parameters.map((it) => it.split(" ")[0]);
  return helper(`
create procedure ${s}.${name}(
  ${[...parameters, "inout result text", "inout heard text"].join(",\n  ")}
)
language plpgsql as
declare
  hints text[];
begin
  result := case
    when set_config(${HINTS}, '{}', true) is not null then ${s}.${name}(
      ${names.join(",\n      ")}
    )::text
  end;
  if current_setting(${HINTS}) <> '{}' then
    hints := current_setting(${HINTS});
    heard := 't';
    commit;
    perform ${s}.notify_v1(hints);
  end if;
end;
`);
}

/**
 * Registers a listener for some time, or extends that time. Returns whether it has been registered
 * without a gap. It also removes listeners whose time is over.
 *
 * The connection of the listener has executed `LISTEN` before, and this function may be called over
 * another one. It sends the listener's name, which the listener must hear. Otherwise the connection
 * is dead, or a pooler has given its session to somebody else.
 *
 * It is atomic because a row belongs to one listener, and because rows are removed under their
 * locks. The removal comes last and does not wait. Otherwise two listeners that return after a long
 * silence would wait for each other.
 */
function listen({ identifier: s, channel }: SchemaName): string {
  return helper(`
create function ${s}.listen_v1(listener text, for_ms integer) returns boolean
language plpgsql volatile as
declare
  kept constant boolean := exists (
    select from ${s}.listeners as l where l.id = listener and l.until > pg_catalog.clock_timestamp()
  );
begin
  insert into ${s}.listeners (id, until)
  values (listener, pg_catalog.clock_timestamp() + for_ms * interval '1 millisecond')
  on conflict (id) do update set until = excluded.until;
  delete from ${s}.listeners as l where l.id = any (array(
    select gone.id from ${s}.listeners as gone where gone.until < pg_catalog.clock_timestamp() for update skip locked
  ));
  perform pg_notify('${channel}', listener);
  return kept;
end;
`);
}

/**
 * Waits for the end of every transaction that may have found that nothing listens. Then its writes
 * are visible, and all later transactions send hints.
 *
 * A transaction that reads listeners takes a lock on that table before it reads, and holds the lock
 * until it commits. This function waits for the holders, up to a second. Nothing waits for this
 * function.
 */
function settle({ identifier: s }: SchemaName): string {
  const holders = `
    select l.virtualtransaction from pg_catalog.pg_locks as l
    where l.relation = to_regclass(listeners) and l.pid <> pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())`;
  return helper(`
create function ${s}.settle_v1() returns void
language plpgsql volatile as
declare
  listeners constant text := ${literal(`${s}.listeners`)};
  earlier constant text[] := array(${holders}
  );
begin
  for waited in 1 .. 100 loop
    exit when not exists (${holders}
      and l.virtualtransaction = any (earlier)
    );
    perform pg_sleep(0.01);
  end loop;
end;
`);
}

/**
 * Removes a listener whose connection is about to close. It is atomic because it is one statement.
 */
function unlisten({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.unlisten_v1(listener text) returns void
language sql volatile as
delete from ${s}.listeners as l where l.id = listener
`);
}
