/**
 * The people of the demo: customers with their browsers, and the payment provider. All of them
 * retry while the server is dead.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import type { OrderInfo } from "../app.ts";
import { type PaymentEvent, sign } from "../provider.ts";
import type { Progress } from "../workflow.ts";
import { follow, type Followed } from "./follow.ts";
import type { Story, When } from "./orders.ts";
import { type Colour, say } from "./report.ts";
import type { ServerProcess } from "./server.ts";

const RETRY_MS = 150;
const COLOURS: Partial<Record<Progress["stage"], Colour>> = {
  charged: "yellow",
  shipped: "green",
  declined: "red",
  abandoned: "red",
};

/** All customers, and the provider. */
export class Cast {
  readonly #server: ServerProcess;
  readonly #secret: string;
  readonly #signal: AbortSignal;
  readonly #webhooks = new Map<Story, Promise<number>[]>();
  readonly #reached = new Set<string>();

  /**
   * @param server The shop.
   * @param secret The secret with which the provider signs.
   * @param signal Ends all their work.
   */
  constructor(server: ServerProcess, secret: string, signal: AbortSignal) {
    this.#server = server;
    this.#secret = secret;
    this.#signal = signal;
  }

  /** Orders, and settles when the shop has sent the browser to the payment page. */
  async order({ order }: Story): Promise<void> {
    const request = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(order) };
    const { status, headers } = await this.#answer("/checkout", () => ({ ...request, redirect: "manual" }));
    if (status !== 303) throw new Error(`Ordering ${order.id}: the shop answered ${status}`);
    say(order.id, `${order.customer} is sent to ${new URL(headers.get("location")!).pathname}`, "dim");
  }

  /** Follows an order in a browser, to its end. */
  async follow(story: Story): Promise<Followed> {
    const { order } = story;
    const { progress } = await this.info(story);
    return await follow(this.#server.url(progress), this.#signal, ({ stage, text }) => {
      this.#reached.add(`${order.id} ${stage}`);
      say(order.id, `${stage}: ${text}`, COLOURS[stage]);
    });
  }

  /** Whether an order's browser saw it reach a stage. */
  hasReached({ order }: Story, stage: Progress["stage"]): boolean {
    return this.#reached.has(`${order.id} ${stage}`);
  }

  /** Starts to send the webhooks of a moment. */
  sendWebhooks(stories: Story[], when: When): void {
    for (const story of stories) {
      const due = story.webhooks.filter((it) => it === when).map(() => this.#webhook(story));
      this.#webhooks.set(story, [...this.#webhooks.get(story) ?? [], ...due]);
    }
  }

  /** The last answers to the webhooks of an order. */
  async webhooksOf(story: Story): Promise<number[]> {
    return await Promise.all(this.#webhooks.get(story) ?? []);
  }

  /** The shop's record of an order. */
  async info({ order }: Story): Promise<OrderInfo> {
    return await (await this.#answer(`/orders/${order.id}`, () => ({}))).json();
  }

  /**
   * Sends one delivery until the answer is neither "later" nor "not yet". A repeat has the ID of
   * the first try.
   */
  async #webhook({ order, decision, forged }: Story): Promise<number> {
    const body = JSON.stringify({ type: `payment.${decision}`, data: { orderId: order.id } } satisfies PaymentEvent);
    const secret = forged ? btoa("not the provider's secret") : this.#secret;
    const response = await this.#answer(
      "/webhook",
      () => ({ method: "POST", headers: sign(secret, `evt_${order.id}`, body), body }),
    );
    const answer = await response.text();
    say("provider", `webhook ${decision} for ${order.id}: ${response.status} ${answer}`, response.ok ? "cyan" : "red");
    return response.status;
  }

  async #answer(path: string, request: () => RequestInit): Promise<Response> {
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        const response = await fetch(this.#server.url(path), { ...request(), signal: this.#signal });
        if (response.status !== 404 && response.status < 500) return response;
        await response.body?.cancel();
      } catch {
        // The server is dead.
      }
      await delay(RETRY_MS, undefined, { signal: this.#signal });
    }
  }
}
