/**
 * A Chromium without a window, driven over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).
 *
 * @module
 */

import { delay, systemClock } from "../../core/time/clock.ts";
import { chromiumPath } from "../../scripts/chromium.ts";
import { KeptProcess } from "../support/kept.ts";

/** Nothing that looks for the network, the screen or a user. As root it has no sandbox. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

/** How long a command may take. */
const COMMAND_MS = 20_000;

const PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 20;

interface Answer {
  id?: number;
  result?: unknown;
  error?: { message: string };
}

/** A page of a browser. */
export interface Page {
  /** Evaluates JavaScript; a promise is awaited, and what comes of it is copied as JSON. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits for what has to come true soon. A page that is being left has nothing to say. */
  until(condition: string): Promise<void>;
  /** Presses a key, such as `Tab` or `Enter`, as a user does. */
  press(key: string): Promise<void>;
  /** Sets what the page's user has. */
  emulate(device: Device): Promise<void>;
  /** The page as a WebP picture, to its end. */
  screenshot(): Promise<Uint8Array>;
  /** Stops the service workers, as the browser does with those that have no events to handle. */
  stopServiceWorkers(): Promise<void>;
}

/** The screen of a user, and what he prefers. */
export interface Device {
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
}

/** What a key needs beside its name, to have its effect. */
const KEYS: Readonly<Record<string, { windowsVirtualKeyCode: number; text?: string }>> = {
  Tab: { windowsVirtualKeyCode: 9 },
  Enter: { windowsVirtualKeyCode: 13, text: "\r" },
  Escape: { windowsVirtualKeyCode: 27 },
  " ": { windowsVirtualKeyCode: 32, text: " " },
};

/** A browser that has a user of its own, who has never been anywhere. */
export class Chromium implements AsyncDisposable {
  readonly #process: KeptProcess;
  readonly #devtools: WebSocket;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  #last = 0;

  private constructor(process: KeptProcess, devtools: WebSocket) {
    this.#process = process;
    this.#devtools = devtools;
    devtools.onmessage = ({ data }) => this.#take(JSON.parse(data));
    devtools.onclose = () => this.#fail("the browser is gone");
  }

  /** Starts it. */
  static async start(): Promise<Chromium> {
    const command = await chromiumPath();
    const profile = await Deno.makeTempDir({ prefix: "parley-chromium-" });
    const args = [...FLAGS, `--user-data-dir=${profile}`, "about:blank"];
    // It complains of all that is not there, which is of no interest.
    const { process, said: [, url = ""] } = await KeptProcess.start({
      command,
      args,
      ready: /DevTools listening on (ws:\S+)\s/,
      folder: profile,
      echo: false,
    });
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("Chromium does not let its DevTools be used"));
    });
    return new Chromium(process, socket);
  }

  /** Opens a page, and settles when it is loaded. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.#ask<{ targetId: string }>("Target.createTarget", { url });
    const { sessionId } = await this.#ask<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
    const evaluate = <T>(expression: string) => this.#evaluate<T>(sessionId, expression);
    const ask = <T>(method: string, params: Record<string, unknown> = {}) => this.#ask<T>(method, params, sessionId);
    const page: Page = {
      evaluate,
      until: (condition) => until(() => evaluate<boolean>(condition), condition),
      press: async (key) => {
        await ask("Input.dispatchKeyEvent", { type: "keyDown", key, ...KEYS[key] });
        await ask("Input.dispatchKeyEvent", { type: "keyUp", key, ...KEYS[key] });
      },
      emulate: async ({ width, height, scheme }) => {
        const mobile = width < 600;
        await ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile });
        await ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
      },
      screenshot: async () => {
        const { data } = await ask<{ data: string }>("Page.captureScreenshot", {
          format: "webp",
          quality: 90,
          captureBeyondViewport: true,
        });
        return Uint8Array.fromBase64(data);
      },
      stopServiceWorkers: async () => {
        await ask("ServiceWorker.enable");
        await ask("ServiceWorker.stopAllWorkers");
      },
    };
    await page.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#devtools.addEventListener("close", resolve));
    // It ends all of its processes, and writes what it has to.
    await this.#ask("Browser.close", {}).catch(() => {});
    await this.#process.kill();
    this.#devtools.close();
    await closed;
  }

  async #evaluate<T>(sessionId: string, expression: string): Promise<T> {
    const params = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#ask<{ result: { value: T }; exceptionDetails?: { text: string } }>(
      "Runtime.evaluate",
      params,
      sessionId,
    );
    if (exceptionDetails) throw new Error(`Evaluating ${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }

  async #ask<T>(method: string, params: Record<string, unknown>, sessionId?: string): Promise<T> {
    const id = ++this.#last;
    const answer = Promise.withResolvers<unknown>();
    this.#asked.set(id, answer);
    const timer = setTimeout(() => answer.reject(new Error(`${method} got no answer`)), COMMAND_MS);
    this.#devtools.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    try {
      return await answer.promise as T;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(id);
    }
  }

  #take({ id, result, error }: Answer): void {
    const asked = id === undefined ? undefined : this.#asked.get(id);
    if (error) asked?.reject(new Error(error.message));
    else asked?.resolve(result);
  }

  #fail(reason: string): void {
    for (const { reject } of this.#asked.values()) reject(new Error(reason));
  }
}

async function until(holds: () => Promise<boolean>, condition: string): Promise<void> {
  for (const began = performance.now(); !await holds().catch(() => false); await delay(systemClock, LOOK_EVERY_MS)) {
    if (performance.now() - began > PATIENCE_MS) throw new Error(`In the browser this did not come true: ${condition}`);
  }
}
