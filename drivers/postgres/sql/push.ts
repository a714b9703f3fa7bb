import { helper, literal, type SchemaName } from "./names.ts";

/**
 * Push: telling those that listen which targets have changed. Hints go by `NOTIFY`, which takes a lock over all databases of the server at commit; so
 * it is left out where nobody listens. Who does is in `listeners`, each until its connection has not been heard of for a while.
 *
 * Their time is real time, also in tests that move the store's clock: it is that of a connection, and nothing durable hangs on it.
 */
export function push(schema: SchemaName): string {
  return listen(schema) + settle(schema) + unlisten(schema);
}

/** Whether anybody listens, as an expression. */
export function listening({ identifier: s }: SchemaName): string {
  return `exists (select from ${s}.listeners as l where l.until > pg_catalog.clock_timestamp())`;
}

/**
 * A statement of PL/pgSQL that hints for the targets in an array, each once. An `inbox:` or `outbox:` and an ID have up to 1,027 bytes, of the
 * 8,000 that there are.
 */
export function notify(schema: SchemaName, targets: string): string {
  return `perform pg_notify(${
    channel(schema)
  }, t.target) from (select distinct given.target from unnest(${targets}) as given (target) where given.target is not null) as t`;
}

/** A channel of each schema's own, as an expression. A schema's name is as long as a channel's may be, so it would not fit with a prefix. */
function channel({ literal }: SchemaName): string {
  return `'parley_' || to_hex(hashtextextended(${literal}, 5))`;
}

/**
 * Listens for some time, or for some time more. Answers whether it has done so without a gap. It also removes those that have not said for a
 * while that they are still there.
 */
function listen(schema: SchemaName): string {
  const { identifier: s } = schema;
  return helper(
    `${s}.listen_v1(listener text, for_ms integer) returns boolean`,
    "plpgsql",
    "volatile",
    `
declare
  kept boolean;
begin
  execute format('listen %I', ${channel(schema)});
  kept := exists (select from ${s}.listeners as l where l.id = listener and l.until > pg_catalog.clock_timestamp());
  insert into ${s}.listeners (id, until) values (listener, pg_catalog.clock_timestamp() + for_ms * interval '1 millisecond')
  on conflict (id) do update set until = excluded.until;
  -- Last, and without waiting: two that were not heard of for long and now come back would else wait for each other.
  delete from ${s}.listeners as l where l.id = any (array(
    select gone.id from ${s}.listeners as gone where gone.until < pg_catalog.clock_timestamp() for update skip locked
  ));
  return kept;
end;
`,
  );
}

/**
 * Waits until all transactions are over that may have found that nobody listens. What they wrote can be seen then, and every later one hints.
 *
 * Whoever has looked into listeners holds a lock on it until it commits, and took it before it looked. Those are waited for, up to a second,
 * and nobody waits for this.
 */
function settle({ identifier: s }: SchemaName): string {
  const holders = `
    select l.virtualtransaction from pg_catalog.pg_locks as l
    where l.relation = to_regclass(listeners) and l.pid <> pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())`;
  return helper(
    `${s}.settle_v1() returns void`,
    "plpgsql",
    "volatile",
    `
declare
  listeners constant text := ${literal(`${s}.listeners`)};
  earlier constant text[] := array(${holders}
  );
begin
  for waited in 1 .. 100 loop
    exit when not exists (${holders} and l.virtualtransaction = any (earlier)
    );
    perform pg_sleep(0.01);
  end loop;
end;
`,
  );
}

/** Listens no more. The connection is about to close. */
function unlisten({ identifier: s }: SchemaName): string {
  return helper(
    `${s}.unlisten_v1(listener text) returns void`,
    "sql",
    "volatile",
    `delete from ${s}.listeners as l where l.id = listener`,
  );
}
