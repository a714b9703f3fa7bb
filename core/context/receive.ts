/**
 * Receives messages. A message is consumed first. It is then checked with its topic's schema,
 * unless the sender did so.
 *
 * @module
 */

import { type Channel, toTopic } from "../channel.ts";
import { type EffectOrWait, type OperationRequest, readRecorded } from "../run/journal/operation.ts";
import type { Outcome } from "../driver/driver.ts";
import { quote, TimeoutError, ValidationError } from "../errors.ts";
import type { Run } from "../run/run.ts";
import type { TopicChoice, WaitLimit } from "../wait_options.ts";
import { fromStored } from "../values/marked_text.ts";
import { andThen, check } from "../values/values.ts";

/** A message with its topic. */
interface ReceivedMessage {
  topic: string;
  message: unknown;
}

/**
 * The operation that receives a message.
 *
 * A sender that knows only the topic's name, such as one over HTTP, cannot check the message. After
 * such a message is received, a second operation at the next position checks it. The outcome of the
 * check is recorded. So a replay accepts or refuses the message as before, and gets the same value,
 * even if the schema has changed.
 *
 * @param topics The topics to receive from. A topic without a schema takes every message.
 * @param limit When the wait ends.
 * @param read Makes the value that the code gets.
 */
export function receiveOperation<T>(
  run: Run,
  label: string,
  topics: readonly Channel<unknown>[],
  limit: WaitLimit,
  read: (received: ReceivedMessage) => T,
): OperationRequest<T> {
  const names = [...new Set(topics.map(({ name }) => name))];
  return {
    label,
    take: () => () => ({ type: "receive", topics: names, ...limit }),
    follow: (outcome, position) => {
      if (outcome.tag !== "message") return undefined;
      const { text, isChecked } = fromStored(outcome.value!);
      if (isChecked) return undefined;
      const topic = outcome.topic ?? "";
      const message = run.decode(text);
      const schema = (topics.find((it) => it.name === topic && it.schema) ?? run.host.topics.get(topic))?.schema;
      const { values, clock } = run.host;
      const what = `message of topic ${quote(topic)}`;
      const checked = () => schema ? check(schema, message, what, clock) : message;
      const request: OperationRequest<T> = {
        label: `check ${position} ${label}`,
        take: () => () =>
          andThen(
            checked(),
            (valid): EffectOrWait => ({ type: "record", outcome: { tag: "value", value: values.encode(valid, what) } }),
          ),
        read: (recorded) => read({ topic, message: readRecorded(run, recorded) }),
      };
      return { request, isWanted: schema !== undefined };
    },
    read: (outcome) => read(readReceived(run, outcome, label, limit)),
  };
}

function readReceived(
  run: Run,
  { tag, value, topic }: Outcome,
  label: string,
  { timeoutMs, until }: WaitLimit,
): ReceivedMessage {
  if (tag === "timeout") throw new TimeoutError(label, timeoutMs ?? 0, until);
  return { topic: topic ?? "", message: run.decode(fromStored(value!).text) };
}

/** Returns the topics of `recvAny`, and how the result names them. */
export function toChannels(topics: TopicChoice): { channels: Channel<unknown>[]; keyOf: (topic: string) => string } {
  if (isList(topics)) return { channels: topics.map((topic) => toTopic(topic)), keyOf: (topic) => topic };
  const keys = new Map<string, string>();
  const channels = Object.entries(topics).map(([key, topic]) => {
    const channel = toTopic(topic);
    if (keys.has(channel.name)) {
      throw new ValidationError(
        `Receiving from topic ${quote(channel.name)}: ${quote(keys.get(channel.name)!)} and ${quote(key)} both name ` +
          "it, and must name different topics",
      );
    }
    keys.set(channel.name, key);
    return channel;
  });
  return { channels, keyOf: (topic) => keys.get(topic)! };
}

function isList(topics: TopicChoice): topics is Extract<TopicChoice, readonly unknown[]> {
  return Array.isArray(topics);
}
