/**
 * The browser's side of the chat: what `useChat` gets.
 *
 * @module
 */

import { createDurableChatTransport } from "@durable-streams/aisdk-transport";
import { AbstractChat, type ChatInit, type ChatStatus, type ChatTransport } from "ai";
import type { ChatChunk, ChatMessage } from "./message.ts";

/** The pause before a request is made again, and before a lost stream is resumed. */
const PAUSE_MS = 500;

/**
 * Makes options for `useChat`, or for any other chat of the AI SDK. The chat reads the durable
 * stream of the answer. It reads it again where a try was abandoned or the connection is lost. The
 * options belong together, so make them once for each chat, in React with `useState`.
 *
 * @param api The URL of the chat's routes.
 * @param resume Called to resume the chat's stream: `() => chat.resumeStream()`.
 */
export function chatOptions(
  api: string,
  resume: () => Promise<void>,
): Required<Pick<ChatInit<ChatMessage>, "transport" | "onFinish">> {
  let againIn: number | undefined;
  const durable = createDurableChatTransport<ChatMessage>({ api, fetchClient: patientFetch });
  return {
    transport: untilReadAgain(durable, (pauseMs) => againIn = pauseMs),
    onFinish() {
      if (againIn === undefined) return;
      // The chat is still finishing.
      setTimeout(() => void resume(), againIn);
      againIn = undefined;
    },
  };
}

/**
 * Makes a request until there is an answer, from a server that is being restarted, too. All requests
 * of the chat may be repeated.
 */
async function patientFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  for (;;) {
    try {
      return await fetch(input, init);
    } catch (error) {
      // Every runtime throws a `TypeError` for a connection that fails.
      if (!(error instanceof TypeError)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/**
 * Ends each stream where it has to be read again: where the connection is lost, and at a mark that
 * takes back what came before it. A chat cannot take back what it has shown. A stream that is resumed
 * has no abandoned try in it, and replaces the message.
 */
function untilReadAgain(
  transport: ChatTransport<ChatMessage>,
  onAgain: (pauseMs: number) => void,
): ChatTransport<ChatMessage> {
  const cut = (chunks: ReadableStream<ChatChunk>, signal?: AbortSignal) => {
    const reader = chunks.getReader();
    let part = -1;
    return new ReadableStream<ChatChunk>({
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          if (value.type === "data-try") {
            if (value.data.part === part) {
              onAgain(0);
              controller.close();
              return void reader.cancel().catch(() => {});
            }
            part = value.data.part;
          }
          controller.enqueue(value);
        } catch (error) {
          if (signal?.aborted) throw error;
          onAgain(PAUSE_MS);
          controller.close();
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
  };
  return {
    resumeStreamIsReplay: true,
    async sendMessages(options) {
      return cut(await transport.sendMessages(options) as ReadableStream<ChatChunk>, options.abortSignal);
    },
    async reconnectToStream(options) {
      const chunks = await transport.reconnectToStream(options);
      return chunks && cut(chunks as ReadableStream<ChatChunk>, options.abortSignal);
    },
  };
}

/** A chat without a framework. With React, pass {@linkcode chatOptions} to `useChat` instead. */
export class PlainChat extends AbstractChat<ChatMessage> {
  readonly #api: string;

  /**
   * @param api The URL of the chat's routes.
   * @param id The chat's ID.
   * @param onChange Called after each change of the messages or the status.
   */
  constructor(api: string, id: string, onChange: () => void = () => {}) {
    super({ id, state: new State(onChange), ...chatOptions(api, () => this.resumeStream()) });
    this.#api = api;
  }

  /** Loads the messages, and resumes the answer. */
  async load(): Promise<void> {
    this.messages = await (await patientFetch(`${this.#api}/${this.id}`))
      .json();
    await this.resumeStream();
  }

  /** Answers the question of a tool call. */
  async approve(toolCallId: string, approved: boolean): Promise<void> {
    await this.#post(`approvals/${toolCallId}`, { approved });
  }

  /** Stops the workflow. `stop()` alone ends only the reading. */
  async cancel(): Promise<void> {
    await this.#post("stop", {});
    await this.stop();
  }

  async #post(path: string, body: unknown): Promise<void> {
    const headers = { "content-type": "application/json" };
    const url = `${this.#api}/${this.id}/${path}`;
    const response = await patientFetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) {
      throw new Error(`The server answered with ${response.status}`);
    }
    await response.body?.cancel();
  }
}

/** The state of a chat, which tells somebody of its changes. */
class State {
  readonly #onChange: () => void;
  #status: ChatStatus = "ready";
  #messages: ChatMessage[] = [];
  error: Error | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get status(): ChatStatus {
    return this.#status;
  }

  set status(status: ChatStatus) {
    this.#status = status;
    this.#onChange();
  }

  get messages(): ChatMessage[] {
    return this.#messages;
  }

  set messages(messages: ChatMessage[]) {
    this.#messages = messages;
    this.#onChange();
  }

  pushMessage = (message: ChatMessage): void => {
    this.messages = [...this.#messages, message];
  };

  popMessage = (): void => {
    this.messages = this.#messages.slice(0, -1);
  };

  replaceMessage = (index: number, message: ChatMessage): void => {
    this.messages = this.#messages.with(index, this.snapshot(message));
  };

  snapshot = <T>(value: T): T => structuredClone(value);
}
