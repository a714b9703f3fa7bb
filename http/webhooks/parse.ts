/**
 * How the body of a webhook becomes an event.
 *
 * @module
 */

import { ValidationError } from "../../core/errors.ts";
import { parseJson } from "../wire/request.ts";

/**
 * How to read the body of a delivery:
 *
 * - `"json"`;
 * - `"form"`, for `application/x-www-form-urlencoded`: an object with a text for each field, and a
 *   list of texts for a field that comes several times;
 * - `"payload"`, for such a form with JSON in the field `payload`, as Slack sends interactions;
 * - a function of the body's text and the request's headers.
 *
 * @category Webhooks
 */
export type WebhookParse = "json" | "form" | "payload" | ((text: string, headers: Headers) => unknown);

/** Whether the value of the option is legal. */
export function isWebhookParse(parse: unknown): parse is WebhookParse {
  return typeof parse === "function" || parse === "json" || parse === "form" || parse === "payload";
}

/** @throws {ValidationError} If the body does not have the form. */
export async function parseEvent(parse: WebhookParse, body: Uint8Array, headers: Headers): Promise<unknown> {
  if (typeof parse === "function") return await parse(toText(body, "must be UTF-8"), headers);
  if (parse === "json") {
    return parseJson(
      body,
      "Reading the webhook's body: it must be JSON, which some providers only send when they are configured to; " +
        'for a form, set the option parse to "form" or "payload"',
    );
  }
  const form = parseForm(toText(body, "must be a form"));
  if (parse === "form") return form;
  const payload = Object.hasOwn(form, "payload") ? form.payload : undefined;
  const message = "Reading the webhook's body: it must be a form with JSON in its field payload";
  if (typeof payload !== "string") throw new ValidationError(message);
  return parseJson(new TextEncoder().encode(payload), message);
}

function toText(body: Uint8Array, required: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new ValidationError(`Reading the webhook's body: it ${required}`);
  }
}

/** `URLSearchParams` would replace bytes that are not UTF-8, and so change the text that is stored. */
function parseForm(text: string): Record<string, string | string[]> {
  const fields = new Map<string, string | string[]>();
  for (const field of text.split("&")) {
    if (field === "") continue;
    const [name, value] = splitField(field);
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : [before, value].flat());
  }
  return Object.fromEntries(fields);
}

function splitField(field: string): [name: string, value: string] {
  const at = field.indexOf("=");
  const parts = at < 0 ? [field, ""] : [field.slice(0, at), field.slice(at + 1)];
  try {
    const [name = "", value = ""] = parts.map((it) => decodeURIComponent(it.replaceAll("+", " ")));
    return [name, value];
  } catch {
    throw new ValidationError("Reading the webhook's body: it must be a form");
  }
}
