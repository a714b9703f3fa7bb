/**
 * Group commit: calls of several runs that wait for a connection travel in one statement.
 *
 * @module
 */

import type { CommitRequest, CreateRequest } from "../../../core/driver/driver.ts";
import { isOwnFailure } from "../driver_error.ts";
import { type OfMany, ofMany, type ShortCall, shortCommit, shortCreate } from "./short_calls.ts";
import type { SqlCalls } from "./sql_calls.ts";

/** The most calls in one statement, and the most bytes of their requests. */
const MAX_CALLS = 100;
const MAX_BYTES = 2 ** 20;

/** The calls that can travel together. Their functions take an array, and answer with one. */
interface Grouped {
  create: CreateRequest;
  commit: CommitRequest;
}

/** A call that waits for a connection, or for its answer. */
class Waiting {
  /** Whether it has failed together with others, or was left out, and may be the cause. */
  isAlone = false;
  /** The statement that carries it together with others. */
  readonly shared: keyof Grouped | OfMany["statement"];
  readonly name: keyof Grouped;
  readonly request: CreateRequest | CommitRequest;
  /** The call by a short function, if there is one for it. */
  readonly short: ShortCall | null;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly #ofMany: OfMany | null;
  #text: string | undefined;

  constructor(
    name: keyof Grouped,
    request: CreateRequest | CommitRequest,
    isShort: boolean,
    settle: Pick<Waiting, "resolve" | "reject">,
  ) {
    this.name = name;
    this.request = request;
    this.short = !isShort ? null : "operations" in request ? shortCommit(request) : shortCreate(request);
    this.#ofMany = ofMany(this.short);
    this.shared = this.#ofMany?.statement ?? name;
    this.resolve = settle.resolve;
    this.reject = settle.reject;
  }

  /** The request as JSON, as the shared statement takes it. */
  get text(): string {
    return this.#text ??= JSON.stringify(this.#ofMany?.member ?? this.request);
  }

  /** Takes the answer that the shared statement has for it. Returns whether there is one. */
  take(answer: unknown): boolean {
    if (answer === null) return false;
    this.resolve(this.short && this.#ofMany ? this.short.answer(answer) : answer);
    return true;
  }
}

/**
 * Sends each call at once while a connection is free, and otherwise with all others that wait.
 *
 * If a statement with several calls fails because of what it carries, each call is sent by itself.
 * So a call fails only for its own reasons.
 */
export class GroupedCalls {
  readonly #calls: SqlCalls;
  readonly #connections: number;
  readonly #isShort: boolean;
  #waiting: Waiting[] = [];
  #underWay = 0;

  /**
   * Makes no call yet.
   *
   * @param calls Sends the statements.
   * @param connections How many statements the client carries out at once. With one more, a call
   * would wait in the client.
   * @param isShort Whether a call, or several together, goes to a short function where there is one.
   */
  constructor(calls: SqlCalls, connections: number, isShort: boolean) {
    this.#calls = calls;
    this.#connections = connections;
    this.#isShort = isShort;
  }

  /** Makes one call, alone or together with others of the same name. */
  call<Name extends keyof Grouped, T>(name: Name, request: Grouped[Name]): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push(
        new Waiting(name, request, this.#isShort, { resolve: (answer) => resolve(answer as T), reject }),
      );
      this.#send();
    });
  }

  #send(): void {
    while (this.#underWay < this.#connections && this.#waiting.length > 0) {
      this.#underWay++;
      void this.#sendGroup(this.#takeGroup()).finally(() => {
        this.#underWay--;
        this.#send();
      });
    }
  }

  /** Takes the call that has waited longest, and those that its statement may carry and has room for. */
  #takeGroup(): Waiting[] {
    const [first] = this.#waiting as [Waiting];
    if (this.#waiting.length === 1) return this.#waiting.splice(0);
    const group: Waiting[] = [];
    const left: Waiting[] = [];
    let bytes = 0;
    for (const call of this.#waiting) {
      const fits = call === first ||
        !first.isAlone && !call.isAlone && call.shared === first.shared && group.length < MAX_CALLS &&
          bytes + call.text.length <= MAX_BYTES;
      if (fits) bytes += call.text.length;
      (fits ? group : left).push(call);
    }
    this.#waiting = left;
    return group;
  }

  async #sendGroup(group: Waiting[]): Promise<void> {
    const [first] = group as [Waiting];
    const { name } = first;
    // In one order, so that two statements do not wait for each other's inserts.
    group.sort(({ request: a }, { request: b }) =>
      a.workflowId < b.workflowId ? -1 : a.workflowId > b.workflowId ? 1 : 0
    );
    try {
      if (group.length === 1 && first.short) return first.resolve(await this.#calls.sendShort(first.short));
      const answers = group.length === 1
        ? await this.#calls.send<unknown[]>(name, JSON.stringify([first.request]))
        : await this.#calls.send<unknown[]>(first.shared, `[${group.map(({ text }) => text).join(",")}]`);
      const left = group.filter((call, index) => !call.take(answers[index]));
      // The next statements carry out what this one leaves. A call that a short function has left
      // goes alone; one for which the answer had no room may go together with others again.
      for (const call of left) call.isAlone ||= call.shared !== call.name;
      this.#waiting.unshift(...left);
    } catch (error) {
      if (group.length > 1 && isOwnFailure(error)) {
        for (const call of group) call.isAlone = true;
        this.#waiting.unshift(...group);
      } else {
        const failure = this.#calls.failure(name, error);
        for (const call of group) call.reject(failure);
      }
    }
  }
}
