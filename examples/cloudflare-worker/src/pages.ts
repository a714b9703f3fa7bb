/**
 * The pages. Hono's `html` escapes their values.
 *
 * @module
 */

import { html } from "hono/html";

type Html = ReturnType<typeof html>;

const page = (title: string, body: Html): Html =>
  html`<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
    <style>body { font: 1.1rem/1.6 system-ui; max-width: 34rem; margin: 4rem auto; padding: 0 1rem }</style><h1>${title}</h1>${body}`;

/** The page to order. */
export const shopPage = (): Html =>
  page(
    "Shop",
    html`
      <form method="post"
        action="/orders"><input name="item" value="A lamp" required aria-label="Item">
            <select name="patience" aria-label="Pay within"><option value="300">Pay within 5 minutes</option>
              <option value="10">Pay within 10 seconds</option></select> <button>Order</button></form>
      <p><a href="/parley/inspector">The inspector</a> asks for the token: your PARLEY_SECRET.</p>
    `,
  );

/** The page to pay. */
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

/**
 * The page to follow an order. The browser connects again by itself after each end of a connection,
 * and misses nothing.
 */
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
