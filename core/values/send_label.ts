/**
 * The label of a `send` in the journal, which also has the destination, for people who look into it.
 * The destination is no part of the operation's name: code that sends elsewhere on a replay gets the
 * recorded receipt.
 *
 * @module
 */

/** The name of an operation, and the destination behind it. JSON has no bare quote in a text. */
const LABEL = /^(send "(?:[^"\\]|\\.)*") to (".*")$/s;

/** The label as it is recorded. */
export function withDestination(label: string, destinationId: string): string {
  return `${label} to ${JSON.stringify(destinationId)}`;
}

/** Splits a recorded label. Only a `send` has a destination. */
export function splitLabel(recorded: string): { label: string; destinationId?: string } {
  const [, label, destination] = recorded.startsWith("send ") ? LABEL.exec(recorded) ?? [] : [];
  return label === undefined ? { label: recorded } : { label, destinationId: JSON.parse(destination!) };
}
