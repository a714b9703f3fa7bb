/**
 * The ID of an event, where it is in the body.
 *
 * @module
 */

import { ValidationError } from "../../../core/errors.ts";

/**
 * Returns the ID of a signed event.
 *
 * @throws {ValidationError} If the body is not JSON with such a member.
 */
export function eventId(body: Uint8Array, member: string, provider: string): string {
  const id = memberOf(body, member);
  if (typeof id === "string" && id !== "") return id;
  throw new ValidationError(`Reading an event of ${provider}: it must be JSON with ${article(member)} ${member}`);
}

/** A member of a body; `undefined` if the body is not JSON with such a member. */
export function memberOf(body: Uint8Array, member: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))?.[member];
  } catch {
    return undefined;
  }
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? "an" : "a";
}
