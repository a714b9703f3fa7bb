/**
 * A Durable Object that keeps a store in its own storage, beside a table of its own.
 *
 * @module
 */

import { Parley, stream, topic, workflow } from "@parley/parley";
import type { ObjectContext, ObjectNamespace } from "@parley/parley/durable-object";
import { sqliteDriver } from "@parley/parley/sqlite";

const payment = topic<{ paid: boolean }>("payment");
const progress = stream<string>("progress");
const checkout = workflow("checkout", async (ctx, item: string) => {
  await ctx.writeStream(progress, "reserved");
  const { paid } = await ctx.recv(payment);
  return await ctx.step("ship", () => paid ? `${item} is on its way` : "declined");
});

export class Shop {
  readonly #storage: ObjectContext["storage"];

  constructor({ storage }: ObjectContext) {
    this.#storage = storage;
    storage.sql.exec("create table if not exists visits (at integer not null)").toArray();
  }

  async fetch(request: Request): Promise<Response> {
    this.#storage.sql.exec("insert into visits values (1)").toArray();
    await using parley = new Parley({ driver: sqliteDriver(this.#storage), workflows: [checkout], hotWait: 0 });
    if (request.method === "PUT") await parley.start(checkout, "a lamp", { workflowId: "order-1" });
    if (request.method === "POST") {
      for (const paid of [true, false]) {
        await parley.send("order-1", { paid }, { topic: payment, idempotencyKey: "delivery-1" });
      }
    }
    await parley.idle();
    const { status, output } = await parley.status("order-1");
    const { values } = await parley.readStream("order-1", progress, { wait: false }).collect();
    const visits = this.#storage.sql.exec("select at from visits").toArray().length;
    return Response.json({ status, output, values, visits });
  }
}

interface Env {
  readonly SHOP: ObjectNamespace;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const shop = env.SHOP.get(env.SHOP.idFromName("shop")) as Pick<Shop, "fetch">;
    return await shop.fetch(request);
  },
};
