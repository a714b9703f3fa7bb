/**
 * DBOS's own client, `dbosClient`, and bare statements, as the cases use them. All use node-postgres.
 *
 * @module
 */

import pg from "pg";
import { dbosClient } from "@parley/parley/dbos";

/** What the cases need of a client. */
export interface BenchClient {
  readonly name: "dbosClient" | "DBOSClient" | "bare";
  send(workflowId: string, message: unknown): Promise<unknown>;
  sendMany(workflowId: string, messages: readonly unknown[]): Promise<unknown>;
  getEvent(workflowId: string, key: string): Promise<unknown>;
  readStream(workflowId: string, key: string): Promise<unknown[]>;
  start(workflowId: string): Promise<unknown>;
  status(workflowId: string): Promise<unknown>;
  list(limit: number): Promise<unknown>;
  cancel(workflowId: string): Promise<unknown>;
  resume(workflowId: string): Promise<unknown>;
  steps(workflowId: string): Promise<unknown>;
  close(): Promise<void>;
}

/** The operations that one bare statement can do, which no client can be faster than. */
export type BareClient = Pick<BenchClient, "name" | "send" | "sendMany" | "getEvent" | "readStream" | "close">;

/** The queue that no app takes from. */
const QUEUE = "nobody";
const TOPIC = "bench";

/** Opens `dbosClient`. */
export async function openParley(url: string): Promise<BenchClient> {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  const client = dbosClient(pool, { listen: true, queue: QUEUE });
  await client.list({ limit: 1 });
  return {
    name: "dbosClient",
    send: (workflowId, message) => client.send(workflowId, message, { topic: TOPIC }),
    sendMany: (destinationId, messages) =>
      client.sendAll(messages.map((message) => ({ destinationId, message, topic: TOPIC }))),
    getEvent: (workflowId, key) => client.getEvent(workflowId, key),
    readStream: async (workflowId, key) => (await client.readStream(workflowId, key).collect()).values,
    start: (workflowId) => client.start("waiting", null, { workflowId }),
    status: (workflowId) => client.status(workflowId),
    list: (limit) => client.list({ limit }),
    cancel: (workflowId) => client.cancel(workflowId),
    resume: (workflowId) => client.resume(workflowId),
    steps: (workflowId) => client.history(workflowId),
    close: () => pool.end(),
  };
}

/** The part of `DBOSClient` that the cases use. */
interface Official {
  send(workflowId: string, message: unknown, topic: string): Promise<void>;
  getEvent(workflowId: string, key: string): Promise<unknown>;
  readStream(workflowId: string, key: string): AsyncIterable<unknown>;
  enqueue(options: Readonly<Record<string, unknown>>, input: unknown): Promise<unknown>;
  getWorkflow(workflowId: string): Promise<unknown>;
  listWorkflows(input: { limit: number; sortDesc: boolean }): Promise<unknown>;
  cancelWorkflow(workflowId: string): Promise<void>;
  resumeWorkflow(workflowId: string): Promise<unknown>;
  listWorkflowSteps(workflowId: string): Promise<unknown>;
  destroy(): Promise<void>;
}

/** Opens DBOS's own client. */
export async function openOfficial(url: string, packageName: string): Promise<BenchClient> {
  const { DBOSClient } = await import(packageName);
  const client: Official = await DBOSClient.create({ systemDatabaseUrl: url });
  return {
    name: "DBOSClient",
    send: (workflowId, message) => client.send(workflowId, message, TOPIC),
    sendMany: async (workflowId, messages) => {
      for (const message of messages) await client.send(workflowId, message, TOPIC);
    },
    getEvent: (workflowId, key) => client.getEvent(workflowId, key),
    readStream: async (workflowId, key) => {
      const values: unknown[] = [];
      for await (const value of client.readStream(workflowId, key)) values.push(value);
      return values;
    },
    start: (workflowID) => client.enqueue({ queueName: QUEUE, workflowName: "waiting", workflowID }, null),
    status: (workflowId) => client.getWorkflow(workflowId),
    list: (limit) => client.listWorkflows({ limit, sortDesc: true }),
    cancel: (workflowId) => client.cancelWorkflow(workflowId),
    resume: (workflowId) => client.resumeWorkflow(workflowId),
    steps: (workflowId) => client.listWorkflowSteps(workflowId),
    close: () => client.destroy(),
  };
}

/** Opens a client of bare statements, which check nothing and decode nothing. */
export function openBare(url: string): BareClient {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  const query = (name: string, text: string, values: unknown[]) => pool.query({ name, text, values });
  const insert = `insert into dbos.notifications (destination_uuid, topic, message)
    select $1, $2, message from unnest($3::text[]) as message`;
  const sendMany = (workflowId: string, messages: readonly unknown[]) =>
    query("send", insert, [workflowId, TOPIC, messages.map((message) => JSON.stringify(message))]);
  return {
    name: "bare",
    send: (workflowId, message) => sendMany(workflowId, [message]),
    sendMany,
    getEvent: (workflowId, key) =>
      query("event", "select value from dbos.workflow_events where workflow_uuid = $1 and key = $2", [workflowId, key]),
    readStream: async (workflowId, key) => {
      const text = `select value from dbos.streams where workflow_uuid = $1 and key = $2 order by "offset" limit 100`;
      return (await query("stream", text, [workflowId, key])).rows;
    },
    close: () => pool.end(),
  };
}
