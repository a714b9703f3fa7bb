/**
 * How much a request and an answer may carry, and what the functions measure to stay below that.
 *
 * @module
 */

import type { SchemaName } from "./schema_name.ts";
import { helper, type SqlPart } from "./sql_function.ts";

const MIB = 1_048_576;

/**
 * The most bytes that the values of one request may have on the wire.
 *
 * One answer may contain the values of two requests, such as a workflow's input and its output, or
 * a message and a commit's other records. Twice this and 0.5 MiB for everything else is 10 MiB.
 * Neon's proxy lets at least that through.
 */
export const MAX_REQUEST_BYTES = 4.75 * MIB;

/**
 * A commit defers its remaining waits once the outcomes in its answer have more bytes than this.
 * The last of these outcomes may be as large as a request.
 */
export const MAX_OUTCOMES_BYTES = MIB;

/** A page of a journal or a stream ends at this many bytes. */
export const MAX_PAGE_BYTES = MIB;

/**
 * A claim takes as many workflows as fit into this many bytes. Their journals share what is left.
 */
export const MAX_CLAIM_BYTES = 8 * MIB;

/** A page of a list ends at this many bytes. */
export const MAX_LIST_BYTES = 4 * MIB;

/**
 * The most bytes that an entry, a workflow or an operation adds to an answer beside its texts. They
 * are names of members, numbers and punctuation.
 */
const MAX_ENVELOPE_BYTES = 600;

/** What measures texts. */
export const sizesSql: readonly SqlPart[] = [wireBytes, claimBytes, echoedBytes];

/**
 * How many bytes a text takes in an answer. An answer is JSON, and over Neon's HTTP it is a text
 * inside of JSON. So a quote or a backslash of a value becomes four bytes, and a control character
 * up to seven.
 *
 * A short text counts as four times its length without being read, because 1,000 of them fill one
 * page at most. A longer text is escaped only if it has control characters, which no JSON has.
 * Escaping 1 MB of quotes takes 20 times as long as counting them. Where there are few quotes and
 * backslashes, `replace` takes a tenth of the time of `translate`.
 */
function wireBytes({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.wire_bytes_v1(value text) returns bigint
language sql stable as
select case
  when value is null then 0
  when octet_length(value) <= 256 then 4 * octet_length(value)
  when value ~ '[\\x01-\\x1f]' then octet_length(to_json(to_json(value)::text)::text)
  else 4 * octet_length(value) - 3 * octet_length(replace(replace(value, '"', ''), '\\', ''))
end::bigint
`);
}

/** How many bytes a claim carries for a workflow, without its journal. */
function claimBytes({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.claim_bytes_v1(workflow_id text, name text, input text, problem text) returns bigint
language sql stable as
select ${MAX_ENVELOPE_BYTES}
  + ${s}.wire_bytes_v1(workflow_id) + ${s}.wire_bytes_v1(name)
  + ${s}.wire_bytes_v1(input) + ${s}.wire_bytes_v1(problem)
  + coalesce((
    select sum(100 + ${s}.wire_bytes_v1(j.label)) from ${s}.journal as j
    where j.workflow_id = claim_bytes_v1.workflow_id and j.seq is null
  ), 0)::bigint
`);
}

/**
 * How many bytes of its request a commit's answer repeats. They are the outcomes that the run has
 * recorded itself.
 */
function echoedBytes({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.echoed_bytes_v1(operations jsonb) returns bigint
language sql stable as
select coalesce(sum(${s}.wire_bytes_v1(o->'outcome'->>'value')), 0)::bigint
from jsonb_array_elements(operations) as o
`);
}

/** Where {@linkcode cut} ends a page. */
export interface Cut {
  /** The rows, as a select. */
  readonly rows: string;
  /** Their order, as after `order by`. */
  readonly order: string;
  /** The columns that contain texts. */
  readonly texts: readonly string[];
  /** The most bytes of a page, as an expression. */
  readonly bytes: string;
  /** Whether the first row fits whatever its size, as an expression. Default: true. */
  readonly first?: string;
}

/**
 * Returns a subquery with the rows and two more columns. `place` is counted from 1. `fits` is true
 * up to the last row that the page has room for.
 *
 * It first sums the stored sizes, since `octet_length` does not fetch a value that is stored out of
 * line. So it fetches only the values that a page can hold. Only for those does it measure the size
 * in an answer.
 */
export function cut(s: string, { rows, order, texts, bytes, first = "true" }: Cut): string {
  const sum = (size: (column: string) => string) =>
    texts.map((column) => `coalesce(${size(column)}, 0)`).join("\n            + ");
  return `(
    select m.*,
      m.may_fit and (
        (m.place = 1 and ${first}) or sum(m.wire_bytes) over in_order <= ${bytes}
      ) as fits
    from (
      select k.*,
        case
          when k.may_fit then ${MAX_ENVELOPE_BYTES / 4}
            + ${sum((column) => `${s}.wire_bytes_v1(k.${column})`)}
        end as wire_bytes
      from (
        select r.*, row_number() over in_order as place,
          row_number() over in_order = 1 or sum(
            ${sum((column) => `octet_length(r.${column})`)}
          ) over in_order <= ${bytes} as may_fit
        from (${rows}
        ) as r
        window in_order as (order by ${order} rows unbounded preceding)
      ) as k
    ) as m
    window in_order as (order by ${order} rows unbounded preceding)
  )`;
}
