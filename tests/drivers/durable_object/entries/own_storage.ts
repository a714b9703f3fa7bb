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
    if (request.method === "DELETE") return Response.json(await this.#rollBack());
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

  /** Makes calls in a transaction that the object itself rolls back. */
  async #rollBack(): Promise<unknown> {
    const driver = sqliteDriver(this.#storage);
    const calls: Promise<unknown>[] = [];
    const message = { destinationId: "w", topic: "", messageId: "m", dedupeKey: "m", value: "1" };
    try {
      this.#storage.transactionSync(() => {
        this.#storage.sql.exec("insert into visits values (1)").toArray();
        calls.push(driver.create({ workflowId: "w", name: "w", input: "null", owner: "o", leaseMs: 60_000 }));
        calls.push(driver.send([message]));
        throw new Error("rolled back");
      });
    } catch {
      // The object gives up.
    }
    await Promise.all(calls);
    const workflow = await driver.readWorkflow("w", { counts: true });
    const visits = this.#storage.sql.exec("select at from visits").toArray().length;
    return { status: workflow?.status, unread: workflow?.unread, visits };
  }
}

interface Env {
  readonly SHOP: ObjectNamespace;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const name = request.method === "DELETE" ? "rolled back" : "shop";
    const shop = env.SHOP.get(env.SHOP.idFromName(name)) as Pick<Shop, "fetch">;
    return await shop.fetch(request);
  },
};
