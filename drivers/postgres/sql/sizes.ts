import { helper, type SchemaName } from "./names.ts";

const MIB = 1_048_576;

/**
 * The most that the values of one request may come to as they travel. A workflow's input and its output arrive in one answer, and so do a message and what a
 * commit has recorded beside it: twice this, and 0.5 MiB for all else, is the 10 MiB that Neon's proxy lets through at least.
 */
export const MAX_REQUEST_BYTES = 4.75 * MIB;

/** The answer of a commit defers its waits once its outcomes come to more than this; the last one before may be as large as a request. */
export const MAX_OUTCOMES_BYTES = MIB;

/** A page of a journal or a stream ends there. */
export const MAX_PAGE_BYTES = MIB;

/** A claim takes no more workflows than fit, and their journals share what is left. */
export const MAX_CLAIM_BYTES = 8 * MIB;

/** A page of a list ends there. */
export const MAX_LIST_BYTES = 4 * MIB;

/** What an entry, a workflow or an operation adds to an answer beside its texts: names of members, numbers, punctuation. */
const MAX_ENVELOPE_BYTES = 400;

/**
 * How many bytes texts take in an answer. An answer is JSON, and over Neon's HTTP it is a text in JSON once more: a quote or a backslash of a value becomes
 * four bytes, and a control character up to seven.
 *
 * Short texts are not looked at: at four bytes for each, 1,000 of them fill a page and no more. Others are not escaped to be measured, unless they
 * have control characters, which no JSON has: of 1 MB of quotes that takes 20 times as long. `translate` would take ten times as long as `replace`, where
 * there are few of both.
 */
export function sizes({ identifier: s }: SchemaName): string {
  return helper(
    `${s}.wire_bytes_v1(value text) returns bigint`,
    "sql",
    "stable",
    `
select case
  when value is null then 0
  when octet_length(value) <= 256 then 4 * octet_length(value)
  when value ~ '[\\x01-\\x1f]' then octet_length(to_json(to_json(value)::text)::text)
  else 4 * octet_length(value) - 3 * octet_length(replace(replace(value, '"', ''), '\\', ''))
end::bigint
`,
  ) + claimBytes(s) + echoedBytes(s);
}

/** What a claim has to carry for a workflow, but for its journal. */
function claimBytes(s: string): string {
  return helper(
    `${s}.claim_bytes_v1(workflow_id text, name text, input text, problem text) returns bigint`,
    "sql",
    "stable",
    `
select ${MAX_ENVELOPE_BYTES}
  + ${s}.wire_bytes_v1(workflow_id) + ${s}.wire_bytes_v1(name) + ${s}.wire_bytes_v1(input) + ${s}.wire_bytes_v1(problem)
  + coalesce((
    select sum(100 + ${s}.wire_bytes_v1(j.label)) from ${s}.journal as j
    where j.workflow_id = claim_bytes_v1.workflow_id and j.seq is null
  ), 0)::bigint
`,
  );
}

/** What the answer of a commit repeats of its request: the outcomes that the run has recorded itself. */
function echoedBytes(s: string): string {
  return helper(
    `${s}.echoed_bytes_v1(operations jsonb) returns bigint`,
    "sql",
    "stable",
    `select coalesce(sum(${s}.wire_bytes_v1(o->'outcome'->>'value')), 0)::bigint from jsonb_array_elements(operations) as o`,
  );
}

/** What rows are cut by: see {@linkcode cut}. */
export interface Cut {
  /** A select. */
  readonly rows: string;
  /** The columns that put them in order, as after `order by`. */
  readonly order: string;
  /** The columns with texts. */
  readonly texts: readonly string[];
  /** How many bytes there may be, an expression. */
  readonly bytes: string;
  /** Whether the first row is there whatever its size, an expression; it is, without it. */
  readonly first?: string;
}

/**
 * Rows and two columns more: `place`, from 1, and `fits`, which is true up to the last row that there is room for.
 *
 * Sizes as they are stored are summed up first, since `octet_length` does not fetch a value that is stored out of line. So no more values are fetched
 * than a page holds, and only those are measured as they travel.
 */
export function cut(s: string, { rows, order, texts, bytes, first = "true" }: Cut): string {
  const sum = (size: (column: string) => string) => texts.map((column) => `coalesce(${size(column)}, 0)`).join(" + ");
  return `(
    select m.*, m.may_fit and ((m.place = 1 and ${first}) or sum(m.wire_bytes) over in_order <= ${bytes}) as fits from (
      select k.*, case when k.may_fit then ${MAX_ENVELOPE_BYTES / 4} + ${
    sum((column) => `${s}.wire_bytes_v1(k.${column})`)
  } end as wire_bytes
      from (
        select r.*, row_number() over in_order as place,
          row_number() over in_order = 1 or sum(${
    sum((column) => `octet_length(r.${column})`)
  }) over in_order <= ${bytes} as may_fit
        from (${rows}) as r
        window in_order as (order by ${order} rows unbounded preceding)
      ) as k
    ) as m
    window in_order as (order by ${order} rows unbounded preceding)
  )`;
}
