/**
 * The inspector in a browser, over a server with real workflows.
 *
 * @module
 */

import axe from "axe-core";
import { Hono } from "hono";
import { parleyHttp } from "../../http/app.ts";
import { anyOf, bearer } from "../../http/auth/auth.ts";
import { type Scope, scopedTokens } from "../../http/auth/tokens.ts";
import type { Parley } from "../../mod.ts";
import { Chromium, type Page } from "./chromium.ts";

/** A server, a browser, and a page of the inspector. */
export class InspectorSetting implements AsyncDisposable {
  /** The requests that the server got, without their queries. */
  readonly requests: string[] = [];
  /** Answers in place of the server, if it returns an answer. */
  intercept: (path: string) => Promise<Response | undefined> = () => Promise.resolve(undefined);
  readonly parley: Parley;
  readonly tokens = scopedTokens("16 characters or more");
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #browser: Chromium | undefined;

  /** @param parley What the server serves. It is closed at the end. */
  constructor(parley: Parley) {
    this.parley = parley;
    const auth = anyOf(bearer("s3cret"), this.tokens);
    const app = new Hono().use(async (c, next) => {
      this.requests.push(`${c.req.method} ${c.req.path}`);
      const answer = await this.intercept(c.req.path);
      if (answer) return answer;
      await next();
    }).route("/a/b", parleyHttp({ parley, auth, inspector: true }));
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/a/b/inspector`;
  }

  /** Opens the page with a token, at what its address has behind the `#`. */
  async open(hash: string, scope?: Scope): Promise<Inspector> {
    this.#browser ??= await Chromium.start();
    const page = await this.#browser.open(this.url);
    // The page reports what its policy has blocked.
    await page.evaluate(`window.blocked = []; addEventListener("securitypolicyviolation", (event) =>
      window.blocked.push(event.violatedDirective)); location.hash = ${JSON.stringify(hash)}`);
    await page.until("document.querySelector('input[type=password]') !== null");
    const inspector = new Inspector(page);
    await inspector.type("A token that the server accepts", scope ? await this.tokens.mint(scope) : "s3cret");
    await inspector.click("Continue");
    return inspector;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser?.[Symbol.asyncDispose]();
    await this.#server.shutdown();
    await this.parley.close();
  }
}

/** What a user does with the page. */
export class Inspector {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Clicks the button or link of this text, in an open dialog if there is one. */
  async click(text: string): Promise<void> {
    const found = `[...(document.querySelector("dialog[open]") ?? document).querySelectorAll("button, a, summary")]
      .find((it) => (it.getAttribute("aria-label") ?? it.textContent) === ${JSON.stringify(text)} && !it.hidden)`;
    await this.page.until(`${found} !== undefined`);
    await this.page.evaluate(`${found}.click()`);
  }

  /** Types into the field of this label. */
  async type(label: string, text: string): Promise<void> {
    const found = `[...(document.querySelector("dialog[open]") ?? document).querySelectorAll("label")]
      .find((it) => it.textContent.startsWith(${JSON.stringify(label)}))`;
    await this.page.until(`${found} !== undefined`);
    await this.page.evaluate(`(() => {
      const field = ${found}.querySelector("input, textarea, select");
      if (field.type === "checkbox") field.checked = true;
      else field.value = ${JSON.stringify(text)};
      field.dispatchEvent(new Event("change"));
    })()`);
  }

  /** Waits until the page says this. */
  async says(text: string): Promise<void> {
    await this.page.until(`document.body.innerText.includes(${JSON.stringify(text)})`);
  }

  async rows(): Promise<string[]> {
    return await this.page.evaluate(`[...document.querySelectorAll("tbody tr")].map((row) => row.innerText)`);
  }

  async buttons(): Promise<string[]> {
    return await this.page.evaluate(`[...document.querySelectorAll("[aria-label=Actions] button")]
      .map((it) => it.textContent)`);
  }

  /** What a tool for accessibility finds. Its messages say where. */
  async violations(): Promise<string[]> {
    await this.page.evaluate(`${axe.source}; 0`);
    return await this.page.evaluate(`axe.run().then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" ")))`);
  }
}
