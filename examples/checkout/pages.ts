/**
 * The pages of a customer: the shop with the live progress of an order, and the payment provider's
 * page. They need no build and no other files.
 *
 * @module
 */

import { html, raw } from "hono/html";
import { CATALOGUE, euros } from "./order.ts";
import type { Session } from "./provider.ts";

type Page = ReturnType<typeof html>;

/** Drawn as lines, because not every system has pictures in its fonts. */
const PICTURES = {
  lamp: "M16 4h16l6 16H10zM24 20v20M14 44h20M24 40l-6 4M24 40l6 4M32 20v6",
  chair: "M14 4v40M34 26v18M14 26h20M14 34h20M14 8h4v18M14 14h4",
  teapot:
    "M12 20h22c4 8 3 16-3 22H15c-6-6-7-14-3-22zM23 20v-4M20 14h6M16 20c0-3 14-3 14 0M36 24c8 0 8 10 0 12M11 26l-7-6v-3",
} as const;

const STYLE = `
  :root { color-scheme: light dark; --ink: light-dark(#1c1b19, #f2efe9);
    --paper: light-dark(#faf7f1, #171614); --card: light-dark(#fff, #211f1c); --line: light-dark(#e4ddd0, #3a362f);
    --soft: light-dark(#726b5f, #a59c8c); --accent: light-dark(#0b6e4f, #4fc79a); --bad: light-dark(#a63a2b, #f08a79); }
  * { box-sizing: border-box }
  body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 ui-sans-serif, system-ui, sans-serif; }
  main { max-width: 40rem; margin: 0 auto; padding: 3rem 1.25rem }
  h1 { font: 600 2rem/1.2 ui-serif, Georgia, serif; margin: 0 0 .25rem }
  p { color: var(--soft); margin: 0 0 1.75rem }
  .card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.25rem }
  .goods { display: grid; grid-template-columns: repeat(3, 1fr); gap: .75rem; margin-bottom: 1rem }
  .goods label { text-align: center; cursor: pointer }
  .goods label:has(:checked) { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent) }
  .goods input { position: absolute; opacity: 0 }
  .goods label:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px }
  .goods b, .goods small { display: block }
  .goods svg { width: 3rem; fill: none; stroke: var(--accent); stroke-width: 2;
    stroke-linecap: round; stroke-linejoin: round; margin: .5rem 0 }
  small { color: var(--soft) }
  .row { display: flex; gap: .75rem; align-items: end; flex-wrap: wrap }
  .row > label { flex: 1 1 7rem; font-size: .875rem; color: var(--soft) }
  input:not([type=radio]), select { width: 100%; height: 2.75rem; font: inherit; color: inherit;
    background: var(--paper); border: 1px solid var(--line); border-radius: 9px; padding: 0 .75rem }
  button, .button { font: inherit; font-weight: 600; line-height: 1; border: 1px solid var(--accent); border-radius: 9px; height: 2.75rem; padding: .8rem 1.2rem;
    cursor: pointer; background: var(--accent); color: var(--card); text-decoration: none; display: inline-block }
  .quiet { background: none; color: var(--ink); border-color: var(--line) }
  ol { list-style: none; margin: 0; padding: 0 }
  li { display: flex; gap: .75rem; padding: .6rem 0; border-bottom: 1px solid var(--line); animation: in .3s }
  li:last-child { border: 0 }
  li::before { content: "✓"; color: var(--accent); font-weight: 700; width: 1.25rem }
  li[data-stage=waiting]::before { content: "…" }
  li[data-stage=declined]::before, li[data-stage=cancelled]::before, li[data-stage=abandoned]::before { content: "×"; color: var(--bad) }
  @keyframes in { from { opacity: 0; transform: translateY(-4px) } }
  #state { min-height: 1.5rem; margin: 1rem 0 }
  .amount { font: 600 2.5rem/1.2 ui-serif, Georgia, serif }
  [hidden] { display: none !important }`;

// `EventSource` connects again by itself with the last ID that it saw, so the page needs no code
// for an absent server.
const SCRIPT = `
  const order = new URLSearchParams(location.search).get("order");
  const AWAY = "The server is away. The order is not: connecting again …";
  const $ = (id) => document.getElementById(id);
  $("cart").value = crypto.randomUUID();
  if (order) {
    $("shop").hidden = true;
    $("order").hidden = false;
    $("number").textContent = order;
    const path = "/orders/" + encodeURIComponent(order);
    const say = (text) => $("state").textContent = text;
    const follow = ({ progress }) => {
      const source = new EventSource(progress);
      source.onopen = () => say("Live");
      source.onerror = () => say(source.readyState === 2 ? "Load this page again" : AWAY);
      source.onmessage = ({ data }) => {
        const { stage, text } = JSON.parse(data);
        const line = document.createElement("li");
        line.dataset.stage = stage;
        line.textContent = text;
        $("progress").append(line);
        $("cancel").hidden = stage !== "waiting";
      };
      source.addEventListener("end", () => {
        source.close();
        say("That is all");
        $("again").hidden = false;
      });
    };
    fetch(path).then((response) => response.ok ? response.json().then(follow) : say("There is no such order"));
    $("cancel").onclick = () => fetch(path + "/cancel", { method: "POST" });
  }`;

/** The shop, and with `?order=` the progress of an order. */
export function shopPage(): Page {
  return layout(
    "The corner shop",
    html`
      <section id="shop">
        <h1>The corner shop</h1>
        <p>Three good things, and a checkout that survives anything.</p>
        <form action="/checkout" method="post">
          <input type="hidden" name="id" id="cart">
          <div class="goods">${Object.entries(CATALOGUE).map(([item, goods]) =>
            itemCard(item as keyof typeof CATALOGUE, goods)
          )}</div>
          <div class="card row">
            <label>Your name <input name="customer" value="Ada" maxlength="100" required></label>
            <label>How many <input name="quantity" type="number" value="1" min="1" max="10" required></label>
            <label>Keep it for
              <select name="keepFor">
                <option value="300">5 minutes</option>
                <option value="20">20 seconds</option>
              </select>
            </label>
            <button>Checkout</button>
          </div>
        </form>
      </section>
      <section id="order" hidden>
        <h1>Your order</h1>
        <p>Number <span id="number"></span>. Kill the server now, if you like, and start it again.</p>
        <ol class="card" id="progress" aria-live="polite"></ol>
        <p id="state">Connecting …</p>
        <button class="quiet" id="cancel" hidden>Cancel the order</button>
        <a class="button" id="again" href="/" hidden>Shop again</a>
      </section>
      <script>
      ${raw(SCRIPT)}
      </script>
    `,
  );
}

/** The payment provider's page. */
export function payPage({ id, orderId, cents, returnUrl }: Session): Page {
  return layout(
    "FakePay",
    html`
      <h1>FakePay</h1>
      <p>The corner shop asks you to pay for order ${orderId}.</p>
      <form class="card" action="/pay/${id}" method="post">
        <div class="amount">${euros(cents)}</div>
        <p>No real money moves here.</p>
        <div class="row">
          <button name="decision" value="paid">Pay</button>
          <button name="decision" value="declined" class="quiet">Decline</button>
          <a class="button quiet" href="${returnUrl}">Later</a>
        </div>
      </form>
    `,
  );
}

function itemCard(item: keyof typeof CATALOGUE, { name, cents }: { name: string; cents: number }): Page {
  return html`
    <label class="card">
      <input type="radio" name="item" value="${item}" required ${item === "lamp" ? "checked" : ""}>
      <svg viewBox="0 0 48 48" aria-hidden="true"><path d="${PICTURES[item]}" /></svg><b>${name}</b><small>${euros(
        cents,
      )}</small>
    </label>
  `;
}

function layout(title: string, content: Page): Page {
  return html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${title}</title>
        <link rel="icon" href="data:,">
        <style>
        ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>${content}</main>
      </body>
    </html>
  `;
}
