/**
 * A store that is full, as after a long life, or new.
 *
 * @module
 */

import type { Driver } from "../../../core/driver/driver.ts";
import { postgresDriver, type Queryable } from "../../../drivers/postgres/mod.ts";
import { pushStatements } from "../../../drivers/postgres/calls/statements.ts";
import { enqueued, USED, VALUE } from "../call.ts";
import { LEASE_MS, openRun, type UsedRun } from "../run.ts";

/** A workflow that never runs. */
export const OTHER = "other";

/** A workflow that is claimed again and again. */
export const LONG = "long";

/** The first of the positions that the calls never reach. */
const LATER = 100_000_000;

/** How much a store holds. */
export interface Sizes {
  /**
   * Workflows. Four in five have ended, and the oldest of each four is kept for its parent. The
   * others are suspended, leased or, if old, parked. Each has an entry, an event, a stream and a
   * head of its inbox.
   */
  readonly workflows: number;
  /** Entries of each of two journals. */
  readonly entries: number;
  /** Received messages of one inbox. */
  readonly received: number;
  /** Waiting messages of that inbox. */
  readonly waiting: number;
  /** Values of one stream. */
  readonly values: number;
}

/**
 * The sizes of a store of so many items. However few they are, there is enough to fill each page of an answer.
 */
export function sizesOf(items: number): Sizes {
  const full = Math.max(items, 1_000);
  return { workflows: items, entries: full + 1, received: items, waiting: Math.max(items / 10, 1_000), values: full };
}

/** Access to a store, and a run of the workflow `USED`. */
export interface Store extends UsedRun {
  readonly driver: Driver;
  readonly queryable: Queryable;
  readonly push: ReturnType<typeof pushStatements>;
}

/** Opens a store and begins the run. */
export async function openStore(queryable: Queryable, schema: string): Promise<Store> {
  const driver = postgresDriver(queryable, { schema });
  const run = await openRun(driver);
  for (const id of [OTHER, LONG]) await driver.create(enqueued(id));
  return { driver, queryable, push: pushStatements(schema), ...run };
}

/**
 * Fills a store. It writes the rows directly, because the driver would take an hour.
 *
 * @param schema The schema's name, as it is written in SQL.
 */
export async function fill(
  { queryable }: Store,
  schema: string,
  { workflows, entries, received, waiting, values }: Sizes,
): Promise<void> {
  const s = schema;
  const each = `from generate_series(1, ${workflows}) as n`;
  const statements = [
    `insert into ${s}.workflows
      (id, name, status, phase, epoch, owner, due_at, lease_until, lease_ms, waiting_topics, created_at, updated_at, ended_at, inbox_seq, journal_seq,
        parent, kept, claimed, input, problem, parks)
      select 'w' || n, case kind.phase when 'parked' then 'parked' else 'bench' end, case when n % 5 = 0 then 'PENDING' else 'SUCCESS' end, kind.phase, 1, 'owner ' || n,
        case kind.phase when 'running' then kind.lease_end when 'ended' then null else case when n % 10 = 0 then kind.lease_end + 2 * n end end,
        case when kind.phase = 'running' then kind.lease_end end, case when kind.phase = 'running' then ${LEASE_MS} end,
        case when kind.phase = 'suspended' then array['t'] end, n, n,
        case when n % 5 <> 0 then n - case when n % 5 = 1 then 1000000000 else 0 end end, 0, 1,
        case when n % 5 = 1 then 'w' || n - 1 end, n % 5 = 1, true, 'null', case when kind.phase = 'parked' then '"problem"' end, (kind.phase = 'parked')::integer
      from generate_series(1, ${workflows}) as n
      cross join lateral (select
        ${s}.now_ms() + ${LEASE_MS} - n as lease_end,
        case
          when n % 5 <> 0 then 'ended'
          when n % 20 = 10 and n <= ${workflows / 10} then 'parked'
          when n % 20 = 0 then 'running'
          else 'suspended'
        end as phase
      ) as kind`,
    `insert into ${s}.journal (workflow_id, position, label, seq, began_at, tag, value) select 'w' || n, 0, 'step', 1, n, 'value', '1' ${each}`,
    `insert into ${s}.journal (workflow_id, position, label, seq, began_at, tag, value)
      select w.id, n, 'step', n, 0, 'value', '1'
      from unnest(array['${USED}', '${LONG}']) as w (id), generate_series(${LATER}, ${LATER + entries - 1}) as n`,
    `insert into ${s}.events (workflow_id, key, version, set_at, value) select 'w' || n, 'state', 1, 0, '${VALUE}' ${each}`,
    `insert into ${s}.streams (workflow_id, key, updated_at, tail, closed) select 'w' || n, 'log', 0, 0, false ${each}`,
    `insert into ${s}.inbox_heads (workflow_id, topic, seq) select 'w' || n, 't', 1 ${each}`,
    `insert into ${s}.waiters (slot, waiter_id, together) select n, 'w' || n, false ${each}`,
    `insert into ${s}.messages (workflow_id, seq, topic, message_id, dedupe_key, sent_at, value)
      select '${USED}', n, 't', 'm' || n, 'id:m' || n, 0, case when n > ${received} then '${VALUE}' end
      from generate_series(1, ${received + waiting}) as n`,
    `update ${s}.workflows set inbox_seq = inbox_seq + ${
      received + waiting
    }, received = received + ${received} where id = '${USED}'`,
    `delete from ${s}.stream_values`,
    `insert into ${s}.streams (workflow_id, key, updated_at, tail, closed) values ('${USED}', 'long', 0, ${values}, false)
      on conflict (workflow_id, key) do update set tail = excluded.tail`,
    `insert into ${s}.stream_values (workflow_id, key, stream_offset, value)
      select '${USED}', 'long', n, '${VALUE}' from generate_series(0, ${values - 1}) as n`,
  ];
  for (const statement of statements) await queryable.query(statement);
}
