/**
 * A fake of the outside world: a payment provider with its own payment page and webhooks, and a
 * warehouse. They are slow, may be asked twice, and keep books that outlive every process.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import type { Entry, Ledger } from "./ledger.ts";
import type { Call, Services } from "./workflow.ts";

/** The choices of a customer on the payment page. */
export type Decision = "paid" | "declined";

/** A webhook's body. */
export interface PaymentEvent {
  type: "payment.paid" | "payment.declined";
  data: { orderId: string };
}

/** A payment session: the data of the payment page, and the page after it. */
export interface Session {
  id: string;
  orderId: string;
  cents: number;
  returnUrl: string;
}

/** Options of {@linkcode FakeProvider}. */
export interface FakeProviderOptions {
  ledger: Ledger;
  /** Signs the webhooks. */
  secret: string;
  /**
   * How long a call takes. Its effect comes halfway, so that an answer can be lost. The default is
   * 0.
   */
  latencyMs?: number;
}

/** A payment provider and a warehouse. */
export class FakeProvider implements Services {
  readonly #ledger: Ledger;
  readonly #secret: string;
  readonly #latencyMs: number;

  constructor({ ledger, secret, latencyMs = 0 }: FakeProviderOptions) {
    this.#ledger = ledger;
    this.#secret = secret;
    this.#latencyMs = latencyMs;
  }

  async createSession(
    request: { orderId: string; cents: number; returnUrl: string },
    call: Call,
  ): Promise<{ id: string; url: string }> {
    const { id } = await this.#call({ kind: "session", ...request }, call);
    return { id, url: new URL(`/pay/${id}`, request.returnUrl).href };
  }

  charge(request: { orderId: string; cents: number }, call: Call): Promise<{ id: string }> {
    return this.#call({ kind: "charge", ...request }, call);
  }

  ship(request: { orderId: string }, call: Call): Promise<{ id: string }> {
    return this.#call({ kind: "shipment", ...request }, call);
  }

  /** A payment session, for the payment page. */
  session(id: string): Session | undefined {
    const { kind, orderId, cents, returnUrl } = this.#ledger.find(id) ?? {};
    return kind === "session" && orderId && cents && returnUrl ? { id, orderId, cents, returnUrl } : undefined;
  }

  /**
   * The webhook about a customer's decision. A session is decided once, so its delivery has one ID
   * however often it is sent.
   */
  webhook({ id, orderId }: Session, decision: Decision): Request {
    const body = JSON.stringify({ type: `payment.${decision}`, data: { orderId } } satisfies PaymentEvent);
    return new Request("http://localhost/webhook", {
      method: "POST",
      headers: sign(this.#secret, `evt_${id}`, body),
      body,
    });
  }

  async #call(entry: Omit<Entry, "id" | "key">, { idempotencyKey, signal }: Call): Promise<{ id: string }> {
    await delay(this.#latencyMs / 2, undefined, { signal });
    const { id } = this.#ledger.record({ ...entry, key: idempotencyKey });
    await delay(this.#latencyMs / 2, undefined, { signal });
    return { id };
  }
}

/**
 * The headers of a delivery, signed as in Standard Webhooks (https://www.standardwebhooks.com), by
 * their own library.
 */
export function sign(secret: string, id: string, body: string, at: Date = new Date()): Record<string, string> {
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, at, body),
  };
}
