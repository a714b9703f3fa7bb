/**
 * What calls cost a PostgreSQL that nothing else uses: requests, rows, index entries and WAL.
 *
 * @module
 */

// @ts-types="@types/pg"
import type pg from "pg";
import { Requests } from "../../../support/requests.ts";
import { openPool } from "./postgres.ts";
import type { Queryable } from "../../../../drivers/postgres/mod.ts";

/** The cost of an operation, as a mean of many. */
export interface RowCost {
  readonly requests: number;
  readonly inserted: number;
  readonly updated: number;
  /** The part of the updates that add no index entries, from 0 to 1; `null` without updates. */
  readonly hot: number | null;
  readonly indexEntries: number;
  /** The bytes of the log, without those of whole pages and of halves of pages that are split. */
  readonly walBytes: number;
}

/** The records of the log by type, as `pg_get_wal_stats` names them. */
const RECORDS = {
  inserted: ["Heap/INSERT", "Heap/INSERT+INIT"],
  hot: ["Heap/HOT_UPDATE"],
  cold: ["Heap/UPDATE", "Heap/UPDATE+INIT"],
  indexEntries: ["Btree/INSERT_LEAF", "Btree/INSERT_POST", "Btree/SPLIT_L", "Btree/SPLIT_R"],
} as const;

/** Reads the costs from the log of the server. */
export class RowBill {
  /** Counts the requests. */
  readonly requests: Requests = new Requests();
  /** The client to measure. */
  readonly queryable: Queryable;
  readonly #pool: pg.Pool;

  private constructor(pool: pg.Pool) {
    this.#pool = pool;
    this.queryable = this.requests.over(pool);
  }

  /** Prepares a server whose user is a superuser. Nothing else may use that server. */
  static async open(url: string): Promise<RowBill> {
    const pool = await openPool(url);
    await pool.query("create extension if not exists pg_walinspect");
    await pool.query("alter system set autovacuum = off");
    await pool.query("alter system set checkpoint_timeout = '1h'");
    await pool.query("select pg_reload_conf()");
    return new RowBill(pool);
  }

  /** The mean cost of `count` operations, which `run` makes together. */
  async of(count: number, run: () => Promise<unknown>): Promise<RowCost> {
    const requests = this.requests.count;
    const start = await this.#position();
    await run();
    const made = this.requests.count - requests;
    const records = await this.#records(start, await this.#position());
    const sum = (types: readonly string[]) => types.reduce((total, type) => total + (records.get(type)?.count ?? 0), 0);
    const [hot, cold] = [sum(RECORDS.hot), sum(RECORDS.cold)];
    const walBytes = [...records].reduce(
      (total, [type, { bytes }]) => type.includes("SPLIT") ? total : total + bytes,
      0,
    );
    return {
      requests: made / count,
      inserted: sum(RECORDS.inserted) / count,
      updated: (hot + cold) / count,
      hot: hot + cold === 0 ? null : hot / (hot + cold),
      indexEntries: sum(RECORDS.indexEntries) / count,
      walBytes: walBytes / count,
    };
  }

  /** Where the log ends, all of which is written. */
  async #position(): Promise<string> {
    await this.#pool.query("select pg_logical_emit_message(false, '', '', true)");
    const { rows } = await this.#pool.query("select pg_current_wal_flush_lsn()::text as position");
    return rows[0].position;
  }

  async #records(start: string, end: string): Promise<Map<string, { count: number; bytes: number }>> {
    const { rows } = await this.#pool.query(
      `select "resource_manager/record_type" as type, count::integer, record_size::integer as bytes
       from pg_get_wal_stats($1::pg_lsn, $2::pg_lsn, true)
       where count > 0 and "resource_manager/record_type" not like 'LogicalMessage/%'`,
      [start, end],
    );
    return new Map(rows.map(({ type, count, bytes }) => [type, { count, bytes }]));
  }
}
