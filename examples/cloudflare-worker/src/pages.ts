/**
 * The pages. What is put into them is escaped by Hono's `html`.
 *
 * @module
 */

import { html } from "hono/html";

type Html = ReturnType<typeof html>;

const page = (title: string, body: Html): Html =>
  html`<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
    <style>body { font: 1.1rem/1.6 system-ui; max-width: 34rem; margin: 4rem auto; padding: 0 1rem }</style><h1>${title}</h1>${body}`;

/** Where an order begins. */
export const shopPage = (): Html =>
  page(
    "Shop",
    html`
      <form method="post"
        action="/orders"><input name="item" value="A lamp" required aria-label="Item"> <button>Order</button></form>
    `,
  );

/** Where it is paid. */
export const payPage = (id: string): Html =>
  page(
    "Payment",
    html`
      <form method="post" action="/pay/${encodeURIComponent(id)}">
            <button name="type" value="payment.paid">Pay</button> <button name="type" value="payment.failed">Decline</button>
          </form>
      <p><a href="/orders/${encodeURIComponent(id)}">Later</a></p>
    `,
  );

/** Where it is followed. The browser connects again by itself wherever a connection ends, and misses nothing. */
export const orderPage = (stream: string): Html =>
  page(
    "Your order",
    html`
      <ol id="log" data-stream="${stream}"></ol>
      <script>
            const log = document.getElementById("log");
            const source = new EventSource(log.dataset.stream);
            source.onmessage = ({ data }) => log.appendChild(document.createElement("li")).textContent = JSON.parse(data);
            source.addEventListener("end", () => source.close());
          </script>
    `,
  );
