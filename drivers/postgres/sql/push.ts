/**
 * Push: hints for connections that listen, about which targets have changed.
 *
 * Hints go by `NOTIFY`, which takes a lock over all databases of the server at commit. So a call
 * sends none while no connection listens. The table listeners has a row per connection, which
 * counts until the connection has been silent for a while.
 *
 * These times are real time, even in tests that move the store's clock: they belong to a
 * connection, and nothing durable depends on them.
 *
 * @module
 */

import { literal, type SchemaName } from "./schema_name.ts";
import { helper, type SqlPart } from "./sql_function.ts";

/** What a connection calls that listens. */
export const pushSql: readonly SqlPart[] = [hint, listen, settle, unlisten];

/** Returns an expression that tells whether any connection listens. */
export function listening({ identifier: s }: SchemaName): string {
  return `exists (select from ${s}.listeners as l where l.until > pg_catalog.clock_timestamp())`;
}

/**
 * Sends one hint for each of these targets, and none for a null. A hint has at most 1,027 bytes, an
 * `inbox:` or `outbox:` and an ID, where Postgres allows 8,000.
 *
 * The caller checks first that some connection listens, because calling a function would cost each
 * write more than the check does.
 */
function hint(schema: SchemaName): string {
  return helper(`
create function ${schema.identifier}.hint_v1(targets text[]) returns void
language plpgsql volatile as
begin
  perform pg_notify(${channel(schema)}, t.target)
  from (select distinct given.target from unnest(targets) as given (target) where given.target is not null) as t;
end;
`);
}

/**
 * Returns an expression for the schema's own channel. It has a hash, because the name of a schema
 * may be as long as that of a channel, which leaves no room for a prefix.
 */
function channel({ literal }: SchemaName): string {
  return `'parley_' || to_hex(hashtextextended(${literal}, 5))`;
}

/**
 * Makes the connection listen for some time, or extends that time. Returns whether the connection
 * has listened without a gap. It also removes connections whose time is over. It is atomic because
 * a row belongs to one connection, and because rows are removed under their locks.
 */
function listen(schema: SchemaName): string {
  const { identifier: s } = schema;
  return helper(`
create function ${s}.listen_v1(listener text, for_ms integer) returns boolean
language plpgsql volatile as
declare
  kept boolean;
begin
  execute format('listen %I', ${channel(schema)});
  kept := exists (select from ${s}.listeners as l where l.id = listener and l.until > pg_catalog.clock_timestamp());
  insert into ${s}.listeners (id, until)
  values (listener, pg_catalog.clock_timestamp() + for_ms * interval '1 millisecond')
  on conflict (id) do update set until = excluded.until;
  -- This comes last and does not wait. Otherwise two connections that return after a long silence
  -- would wait for each other.
  delete from ${s}.listeners as l where l.id = any (array(
    select gone.id from ${s}.listeners as gone where gone.until < pg_catalog.clock_timestamp() for update skip locked
  ));
  return kept;
end;
`);
}

/**
 * Waits until every transaction has ended that may have found that nothing listens. Then what it
 * wrote is visible, and all later transactions send hints.
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
