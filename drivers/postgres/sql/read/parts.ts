/**
 * Reads of the parts of one workflow: its journal, messages, events and streams.
 *
 * Each answer is a `PartPage`: the status of the workflow, items in order, and whether more are left.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { cut, MAX_PAGE_BYTES } from "../sizes.ts";
import { entryPoint, helper, type SqlPart } from "../sql_function.ts";

/** `Driver.readHistory`, `listMessages`, `listEvents` and `listStreams`. */
export const partsSql: readonly SqlPart[] = [
  readHistory,
  unreadMessages,
  receivedMessages,
  listMessages,
  listEvents,
  listStreams,
];

/** What a page consists of. */
interface Part {
  /** The rows after `after`, in order, with one more than the limit. */
  readonly rows: string;
  /** The column by which the rows are sorted. */
  readonly order: string;
  /** The columns that contain texts. */
  readonly texts: readonly string[];
  /** The members of an item, made from the row `r`. */
  readonly item: string;
}

/** Returns the definition of a function that answers with a page. */
function pageOf(s: string, name: string, after: "bigint" | "text", { rows, order, texts, item }: Part): string {
  const items = cut(s, { rows, order, texts, bytes: `${MAX_PAGE_BYTES}` });
  return entryPoint(`
create function ${s}.${name}(request jsonb) returns json
language plpgsql stable as
declare
  own constant text := request->>'workflowId';
  after constant ${after} := request->>'after';
  size constant integer := (request->>'limit')::integer;
  answer json;
begin
  select json_build_object(
    'status', (select w.status from ${s}.workflows as w where w.id = own),
    'items', coalesce(
      json_agg(
        json_build_object(${item})
        order by r.place
      ) filter (where r.fits and r.place <= size),
      '[]'
    ),
    'more', coalesce(bool_or(not r.fits or r.place > size), false)
  ) into answer
  from ${items} as r;
  return answer;
end;
`);
}

/** `Driver.readHistory`: a page of the journal, by position. */
function readHistory({ identifier: s }: SchemaName): string {
  return pageOf(s, "read_history_v1", "bigint", {
    rows: `
          select j.* from ${s}.journal as j
          where j.workflow_id = own and j.position > coalesce(after, -1)
          order by j.position limit size + 1`,
    order: "position",
    texts: ["label", "value", "topic"],
    item: `
          'position', r.position, 'label', r.label,
          'outcome', case when r.seq is not null then ${s}.outcome_v1(r.tag, r.value, r.topic) end,
          'startedAt', r.began_at, 'endedAt', case when r.seq is not null then r.began_at + coalesce(r.took, 0) end,
          'attempts', coalesce(r.attempts, 0), 'deadline', r.deadline
        `,
  });
}

/**
 * Returns the first messages that wait, over all topics or of one.
 *
 * The index has the topic before the place, so each topic is searched by itself.
 */
function unreadMessages({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.unread_messages_v1(own text, wanted text, after bigint, size integer)
returns table (seq bigint, topic text, message_id text, dedupe_key text, sent_at bigint, value text)
language plpgsql stable as
declare
  topics constant text[] := case when wanted is not null then array[wanted] else array(
    with recursive t as (
      (
        select m.topic from ${s}.messages as m
        where m.workflow_id = own and m.value is not null order by m.topic, m.seq limit 1
      )
      union all
      select d.topic from t as last cross join lateral (
        select m.topic from ${s}.messages as m
        where m.workflow_id = own and m.topic > last.topic and m.value is not null order by m.topic, m.seq limit 1
      ) as d
    )
    select t.topic from t
  ) end;
begin
  return query
  select d.* from unnest(topics) as t (topic)
  left join lateral (
    select h.seq from ${s}.inbox_heads as h where h.workflow_id = own and h.topic = t.topic limit 1
  ) as h on true
  cross join lateral (
    select m.seq, m.topic, m.message_id, m.dedupe_key, m.sent_at, m.value from ${s}.messages as m
    where m.workflow_id = own and m.topic = t.topic and m.seq > greatest(after, h.seq, 0) and m.value is not null
    order by m.seq limit size
  ) as d
  order by d.seq limit size;
end;
`);
}

/**
 * Returns the first messages that the journal has received, over all topics or of one.
 *
 * It looks at each entry of the journal that has received a message. An index for this would cost
 * each receive an entry, and a workflow that runs reads its whole journal anyway. Messages that
 * were received before the workflow was last continued as new have no entry.
 */
function receivedMessages({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.received_messages_v1(own text, wanted text, after bigint, size integer)
returns table (
  seq bigint, topic text, message_id text, dedupe_key text, sent_at bigint, value text, by_position integer,
  received_at bigint
)
language plpgsql stable as
begin
  return query
  select m.seq, j.topic, m.message_id, m.dedupe_key, m.sent_at, j.value, j.position, j.began_at + coalesce(j.took, 0)
  from ${s}.journal as j
  cross join lateral (
    select m.seq, m.message_id, m.dedupe_key, m.sent_at from ${s}.messages as m
    where m.workflow_id = own and m.dedupe_key = j.message_key limit 1
  ) as m
  where j.workflow_id = own and j.message_key is not null and (wanted is null or j.topic = wanted)
    and m.seq > coalesce(after, 0)
  order by m.seq limit size;
end;
`);
}

/** `Driver.listMessages`: a page of messages, by their numbers. */
function listMessages({ identifier: s }: SchemaName): string {
  return pageOf(s, "list_messages_v1", "bigint", {
    rows: `
          select m.* from (
            (
              select u.*, null::integer as by_position, null::bigint as received_at
              from ${s}.unread_messages_v1(own, request->>'topic', after, size + 1) as u
              where request->>'state' <> 'received'
            ) union all (
              select v.* from ${s}.received_messages_v1(own, request->>'topic', after, size + 1) as v
              where request->>'state' <> 'unread'
            )
          ) as m
          order by m.seq limit size + 1`,
    order: "seq",
    texts: ["value", "message_id", "topic", "dedupe_key"],
    item: `
          'number', r.seq, 'messageId', r.message_id, 'topic', r.topic, 'dedupeKey', r.dedupe_key,
          'value', r.value, 'sentAt', r.sent_at, 'received', case
            when r.by_position is not null then json_build_object('position', r.by_position, 'at', r.received_at)
          end
        `,
  });
}

/** `Driver.listEvents`: a page of events, by key. */
function listEvents({ identifier: s }: SchemaName): string {
  return pageOf(s, "list_events_v1", "text", {
    rows: `
          select e.* from ${s}.events as e
          where e.workflow_id = own and e.key > coalesce(after, '')
          order by e.key limit size + 1`,
    order: "key",
    texts: ["value", "key"],
    item: `
          'key', r.key, 'version', r.version, 'value', r.value, 'updatedAt', coalesce(r.updated_at, r.set_at)
        `,
  });
}

/** `Driver.listStreams`: a page of streams, by key. */
function listStreams({ identifier: s }: SchemaName): string {
  return pageOf(s, "list_streams_v1", "text", {
    rows: `
          select t.* from ${s}.streams as t
          where t.workflow_id = own and t.key > coalesce(after, '')
          order by t.key limit size + 1`,
    order: "key",
    texts: ["key"],
    item: `
          'key', r.key, 'length', r.tail, 'closed', r.closed, 'updatedAt', r.updated_at
        `,
  });
}
