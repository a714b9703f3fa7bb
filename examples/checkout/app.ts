/**
 * The shop over HTTP. It holds nothing between two requests, because all state is in the workflows.
 *
 * @module
 */

import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { type Parley, ParleyError, type ParleyErrorCode, type WorkflowInfo } from "@parley/parley";
import { parleyHttp, scopedTokens, standardWebhooks, webhook, type WebhookMessage } from "@parley/parley/http";
import * as v from "valibot";
import { CATALOGUE, Order, total } from "./order.ts";
import { payPage, shopPage } from "./pages.ts";
import type { FakeProvider, Session } from "./provider.ts";
import { cancellation, type Checkout, payment, paymentUrl, progress, type Receipt } from "./workflow.ts";

/** The parts of the shop. */
export interface Shop {
  /** Knows the workflow `checkout`. */
  parley: Parley;
  provider: FakeProvider;
  /** The secret that signs webhooks, in base64. */
  secret: string;
  /**
   * The secret that signs the tokens of browsers. Tokens outlive a restart, so the secret has to as
   * well.
   */
  tokenSecret: string;
}

const PaymentEvent = v.object({
  type: v.picklist(["payment.paid", "payment.declined"]),
  data: v.object({ orderId: v.pipe(v.string(), v.nonEmpty()) }),
});
const Decided = v.object({ decision: v.picklist(["paid", "declined"]) });

const STATUS: Partial<Record<ParleyErrorCode, 400 | 404 | 409 | 504>> = {
  invalid_value: 400,
  value_too_large: 400,
  workflow_not_found: 404,
  workflow_ended: 409,
  timeout: 504,
};

/** The app. It starts no server. */
export function createApp(shop: Shop): Hono {
  const { parley, secret, tokenSecret } = shop;
  const tokens = scopedTokens(tokenSecret);
  const app = new Hono();
  app.use(bodyLimit({ maxSize: 64 * 1024 }));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.json({ error: error.message }, error.status);
    const status = error instanceof ParleyError ? STATUS[error.code] : undefined;
    if (!status) console.error(error);
    return c.json({ error: status ? error.message : "Something went wrong" }, status ?? 500);
  });
  app.get("/", (c) => c.html(shopPage()));
  app.post("/checkout", (c) => checkout(shop, c));
  app.post(
    "/webhook",
    webhook({
      parley,
      verify: standardWebhooks(secret, { encoding: "base64" }),
      schema: PaymentEvent,
      route: toPayment,
    }),
  );
  app.get("/orders/:id", async (c) => {
    const order = toOrder(await parley.handle(c.req.param("id")).status());
    // A real shop checks here that the order is this customer's.
    const token = await tokens.mint({
      actions: ["stream"],
      workflowId: order.orderId,
      keys: [progress.name],
      expiresIn: "1h",
    });
    return c.json({
      ...order,
      progress: `/parley/workflows/${encodeURIComponent(order.orderId)}/streams/${progress.name}?token=${token}`,
    });
  });
  // Tokens allow one thing: to follow the progress of one order.
  app.route("/parley", parleyHttp({ parley, auth: tokens }));
  app.post("/orders/:id/cancel", async (c) => {
    const { duplicate } = await parley.send(c.req.param("id"), {}, { topic: cancellation, idempotencyKey: "cancel" });
    return c.json({ received: true, duplicate });
  });
  app.get("/pay/:session", (c) => c.html(payPage(sessionOf(shop, c.req.param("session")))));
  app.post("/pay/:session", async (c) => {
    const { decision } = parse(Decided, await c.req.parseBody());
    const session = sessionOf(shop, c.req.param("session"));
    // A real provider calls from outside. This one uses the same route, with a signature.
    const answer = await app.request(shop.provider.webhook(session, decision));
    if (!answer.ok) throw new HTTPException(502, { message: `The shop answered the webhook with ${answer.status}` });
    return c.redirect(session.returnUrl, 303);
  });
  return app;
}

/** Starts the workflow and sends the customer to the payment page as soon as there is one. */
async function checkout({ parley }: Shop, c: Context): Promise<Response> {
  const isJson = c.req.header("content-type")?.startsWith("application/json");
  const order = parse(Order, isJson ? await readJson(() => c.req.json()) : await c.req.parseBody());
  const { id = crypto.randomUUID(), item, quantity, keepFor, customer } = order;
  const input: Checkout = {
    goods: `${quantity} × ${CATALOGUE[item].name}`,
    customer,
    cents: total(order),
    windowMs: keepFor * 1_000,
    returnUrl: new URL(`/?order=${id}`, c.req.url).href,
  };
  const handle = await parley.start<Checkout, Receipt>("checkout", input, { workflowId: id });
  return c.redirect(await handle.getEvent(paymentUrl, { timeout: "30s" }), 303);
}

/** The message about a payment for the workflow. */
function toPayment({ type, data }: v.InferOutput<typeof PaymentEvent>): WebhookMessage {
  return {
    workflowId: data.orderId,
    topic: payment,
    message: { status: type === "payment.paid" ? "paid" : "declined" },
  };
}

function sessionOf({ provider }: Shop, id: string): Session {
  const session = provider.session(id);
  if (!session) throw new HTTPException(404, { message: "There is no such payment session" });
  return session;
}

/** An order as `GET /orders/:id` returns it. */
export interface OrderInfo extends Partial<Receipt> {
  orderId: string;
  status: WorkflowInfo["status"];
  waiting?: string[];
  /** The URL of its progress, valid for an hour. */
  progress: string;
}

function toOrder({ workflowId, status, waiting, output }: WorkflowInfo): Omit<OrderInfo, "progress"> {
  const receipt = status === "SUCCESS" ? output as Receipt : undefined;
  return { orderId: workflowId, status, ...(waiting && { waiting: waiting.operations }), ...receipt };
}

function parse<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const issues = result.issues.map((issue) => `${v.getDotPath(issue) ?? "body"}: ${issue.message}`);
  throw new HTTPException(400, { message: issues.join("; ") });
}

async function readJson(read: () => unknown): Promise<unknown> {
  try {
    return await read();
  } catch {
    throw new HTTPException(400, { message: "The body must be JSON" });
  }
}
