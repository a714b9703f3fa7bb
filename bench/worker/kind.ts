/**
 * The kinds of systems that can be measured.
 *
 * @module
 */

/**
 * - `parley`, `dbos`: durable workflows over PostgreSQL.
 * - `bare`: statements over PostgreSQL.
 * - `upstash`: Parley over Upstash.
 * - `bareUpstash`: commands over Upstash.
 * - `realtime`: `@upstash/realtime`.
 * - `pglite`: Parley over PGlite, a PostgreSQL in its own process.
 * - `barePglite`: statements over PGlite.
 */
export type WorkerKind =
  | "parley"
  | "dbos"
  | "bare"
  | "upstash"
  | "bareUpstash"
  | "realtime"
  | "pglite"
  | "barePglite";

/**
 * The kinds of a worker, and those that have programs of their own:
 *
 * - `filled`, `filledUpstash`: Parley's drivers over stores of several sizes.
 * - `workerd`: Parley's HTTP endpoints in isolates of workerd.
 * - `bareWorkerd`: a Worker that does nothing.
 */
export type Kind = WorkerKind | "filled" | "filledUpstash" | "workerd" | "bareWorkerd";
