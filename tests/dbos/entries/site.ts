/**
 * A site beside a DBOS app, as a worker: it serves the adapter, and tells a story of its own.
 *
 * @module
 */

import { dbosClient } from "@parley/parley/dbos";
import { bearer, parleyHttp } from "@parley/parley/http";

/** What the test sets. */
export interface Env {
  /** The connection string of the system database. */
  readonly DATABASE: string;
  /** The endpoint of the local Neon. */
  readonly NEON_HTTP: string;
  readonly NEON_WEBSOCKET: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const client = dbosClient(env.DATABASE, { endpoint: { http: env.NEON_HTTP, websocket: env.NEON_WEBSOCKET } });
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/story") return await parleyHttp({ parley: client, auth: bearer("s3cret") }).fetch(request);
    const id = searchParams.get("id")!;
    const handle = await client.start<unknown, unknown>("checkout", { item: "lamp" }, { workflowId: id });
    const again = await client.start("checkout", { item: "lamp" }, { workflowId: id });
    const url = await client.getEvent(id, "paymentUrl");
    const message = { destinationId: id, message: { paid: true }, topic: "payment", idempotencyKey: "k" };
    const [first] = await client.sendAll([message]);
    const second = await client.send(id, { paid: true }, { topic: "payment", idempotencyKey: "k" });
    const { values, closed } = await client.readStream(id, "progress").collect();
    const result = await handle.result();
    const { status, input } = await client.status(id);
    const listed = (await client.list({ idPrefix: id, include: "values" })).workflows.length;
    const operations = (await client.history(id)).entries.map(({ kind }) => kind).filter((kind) => kind !== "sleep");
    const received = (await client.messages(id, { state: "received" })).messages.map(({ value }) => value);
    const events = (await client.events(id)).map(({ key, version }) => [key, version]);
    const streams = (await client.streams(id)).map(({ key, length }) => [key, length]);
    const refused = await client.send("nobody", 1).catch(({ code }) => code);
    const created = [handle.created, again.created];
    const duplicates = [first!.duplicate, second.duplicate];
    return Response.json({
      created,
      url,
      duplicates,
      values,
      closed,
      result,
      status,
      input,
      listed,
      operations,
      received,
      events,
      streams,
      refused,
    });
  },
};
