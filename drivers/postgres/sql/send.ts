/**
 * Messages.
 *
 * A send holds the row of its destination. A receive holds the same row, and so does a suspend. The
 * counter on that row gives each message its place. The places have the order in which the sends
 * took effect.
 *
 * @module
 */

import type { SchemaName } from "./schema_name.ts";
import { entryPoint, helper, type SqlPart } from "./sql_function.ts";
import { listening } from "./push.ts";

/** `Driver.send`, and what a commit calls to send and to receive. */
export const sendSql: readonly SqlPart[] = [sendAll, deliver, takeMessage];

/**
 * `Driver.send`: sends some messages, or none of them.
 *
 * It is atomic because it locks all destinations first. Then one statement judges all messages, and
 * its later parts write only if none is refused.
 *
 * It looks for a message's key before it looks at the status. So a repeat gets the first answer,
 * even if the destination has ended since. In a repeat, `woken` also names destinations that the
 * first call made due and nobody has claimed yet. If a key occurs twice in one call, the later
 * message is judged as if the earlier one had been sent.
 */
function sendAll(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.send_v1(messages jsonb) returns json
language plpgsql volatile as
declare
  destinations constant text[] := array(select distinct m->>'destinationId' from jsonb_array_elements(messages) as m);
  locked constant text[] := array(
    select w.id from ${s}.workflows as w where w.id = any (destinations) order by w.id for update
  );
  now bigint;
  answer json;
  targets text[];
begin
  now := ${s}.now_ms();
  with given as materialized (
    select m.place - 1 as index, m.message->>'destinationId' as id, m.message->>'topic' as topic,
      m.message->>'messageId' as message_id, m.message->>'dedupeKey' as dedupe_key, m.message->>'value' as value
    from jsonb_array_elements(messages) with ordinality as m (message, place)
  ), judged as materialized (
    select g.*, w.id is not null as exists, w.status, w.phase, w.inbox_seq, w.waiting_topics,
      coalesce(stored.topic, first_value(g.topic) over same_key) as first_topic,
      coalesce(stored.message_id, first_value(g.message_id) over same_key) as first_id,
      stored.message_id is null and row_number() over same_key = 1 as is_new
    from given as g
    left join lateral (
      select w.* from ${s}.workflows as w where w.id = g.id and w.id = any (locked) limit 1
    ) as w on true
    left join lateral (
      select m.* from ${s}.messages as m where m.workflow_id = g.id and m.dedupe_key = g.dedupe_key limit 1
    ) as stored on true
    window same_key as (partition by g.id, g.dedupe_key order by g.index)
  ), refused as materialized (
    select j.index, case
        when not j.exists then 'workflow_not_found'
        when j.first_topic <> j.topic then 'idempotency_conflict'
        else 'workflow_ended'
      end as reason, j.status
    from judged as j
    where not j.exists or j.first_topic <> j.topic or (j.is_new and j.phase = 'ended')
    order by j.index limit 1
  ), inserted as (
    insert into ${s}.messages (workflow_id, seq, topic, message_id, dedupe_key, sent_at, value)
    select j.id, j.inbox_seq + row_number() over (partition by j.id order by j.index), j.topic,
      j.message_id, j.dedupe_key, now, j.value
    from judged as j where j.is_new and not exists (select from refused)
    returning workflow_id, topic
  ), arrived as (
    select i.workflow_id, count(*) as count, array_agg(i.topic) as topics from inserted as i group by i.workflow_id
  ), bumped as (
    update ${s}.workflows as w set
      inbox_seq = w.inbox_seq + a.count,
      phase = case when ${wakes("w", "a.topics")} then 'ready' else w.phase end,
      due_at = case
        when ${wakes("w", "a.topics")} then least(w.due_at, now)
        else w.due_at
      end
    from arrived as a where w.id = a.workflow_id and w.id = any (locked)
  ), woken as (
    select w.id, true as by_this
    from arrived as a join ${s}.workflows as w on w.id = a.workflow_id and w.id = any (locked)
    where ${wakes("w", "a.topics")}
    union
    select j.id, false from judged as j
    where not j.is_new and j.first_id = j.message_id and j.phase = 'ready' and j.topic = any (j.waiting_topics)
  )
  select case
    when exists (select from refused) then (
      select json_build_object(
        'state', 'refused', 'index', r.index, 'reason', r.reason,
        'status', case when r.reason = 'workflow_ended' then r.status end
      ) from refused as r
    )
    else json_build_object(
      'state', 'sent',
      'receipts', coalesce((
        select json_agg(
          json_build_object('messageId', j.first_id, 'duplicate', j.first_id <> j.message_id) order by j.index
        )
        from judged as j
      ), '[]'),
      'woken', coalesce((select json_agg(woken.id) from woken), '[]')
    )
  end, array(select 'inbox:' || a.workflow_id from arrived as a union all select 'due' from woken where woken.by_this)
  into answer, targets;
  if cardinality(targets) > 0
    and ${listening(schema)}
  then
    perform ${s}.hint_v1(targets);
  end if;
  return answer;
end;
`);
}

/**
 * Returns an expression that tells whether messages under these topics make the workflow due,
 * because it waits for one of them. They make it due even if its deadline has passed, since the
 * clock may go back.
 */
function wakes(w: string, topics: string): string {
  return `${w}.phase = 'suspended' and ${w}.waiting_topics && ${topics}`;
}

/**
 * Sends one message from a workflow. The destination exists.
 *
 * It is atomic because the caller, a commit, holds the row of the destination. So nothing is sent,
 * received or ended there meanwhile.
 */
function deliver({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.deliver_v1(
  message jsonb, now bigint, out tag text, out value text, out woken boolean, out fresh boolean
)
language plpgsql volatile as
declare
  destination constant text := message->>'destinationId';
  message_topic constant text := message->>'topic';
  first_id text;
  first_topic text;
  ended_as text;
begin
  select
    m.message_id, m.topic, case when w.phase = 'ended' then w.status end,
    ${wakes("w", "array[message_topic]")}
  into first_id, first_topic, ended_as, woken
  from ${s}.workflows as w
  left join ${s}.messages as m on m.workflow_id = w.id and m.dedupe_key = message->>'dedupeKey'
  where w.id = destination;
  fresh := first_id is null and ended_as is null;
  if not fresh then
    woken := false;
    tag := case
      when first_topic <> message_topic then 'idempotency_conflict'
      when first_id = message->>'messageId' then 'sent'
      when first_id is not null then 'duplicate'
      else 'workflow_ended'
    end;
    value := case tag when 'workflow_ended' then ended_as when 'idempotency_conflict' then null else first_id end;
    return;
  end if;
  tag := 'sent';
  value := message->>'messageId';
  update ${s}.workflows as w set
    inbox_seq = w.inbox_seq + 1,
    phase = case when deliver_v1.woken then 'ready' else w.phase end,
    due_at = case when deliver_v1.woken then least(w.due_at, now) else w.due_at end
  where w.id = destination;
  insert into ${s}.messages (workflow_id, seq, topic, message_id, dedupe_key, sent_at, value)
  select w.id, w.inbox_seq, message_topic, message->>'messageId', message->>'dedupeKey', now, message->>'value'
  from ${s}.workflows as w where w.id = destination;
end;
`);
}

/** Returns a subquery for the oldest message under one topic: where it is, its place, key and value. */
export function oldestMessage(s: string, receiver: string, topic: string): string {
  return `(
    select m.ctid as tuple, m.seq, m.dedupe_key, m.value from ${s}.messages as m
    where m.workflow_id = ${receiver} and m.topic = ${topic} and m.value is not null and m.seq > coalesce(
      (select h.seq from ${s}.inbox_heads as h where h.workflow_id = ${receiver} and h.topic = ${topic}), 0
    )
    order by m.seq limit 1
  )`;
}

/** PL/pgSQL that writes down, about every 64th time, how far a topic was received. */
export function moveInboxHead(s: string, receiver: string, topic: string, seq: string): string {
  return `if random() < 1.0 / 64 then
      insert into ${s}.inbox_heads (workflow_id, topic, seq) values (${receiver}, ${topic}, ${seq})
      on conflict on constraint inbox_heads_pkey do update set seq = excluded.seq;
    end if;`;
}

/**
 * Takes the oldest message of all these topics. With `latest` it takes one only if it was sent no
 * later than that.
 *
 * The index of waiting messages gives the first message of each topic, and the oldest of these is
 * taken. If the first message of a topic was sent too late, all messages behind it were too,
 * because each send held the receiver's row. So one message per topic is enough.
 *
 * It is atomic because the caller, a commit, holds the receiver's row. So no other message is sent
 * or received there meanwhile, and the message is still as it was found.
 */
function takeMessage({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.take_message_v1(
  receiver text, topics text[], latest bigint, out value text, out topic text, out dedupe_key text
)
language plpgsql volatile as
declare
  place bigint;
begin
  with oldest as materialized (
    select m.* from unnest(topics) as given (topic)
    left join lateral (
      select h.seq from ${s}.inbox_heads as h where h.workflow_id = receiver and h.topic = given.topic limit 1
    ) as h on true
    cross join lateral (
      select m.ctid as tuple, m.seq, m.topic, m.dedupe_key, m.sent_at, m.value from ${s}.messages as m
      where m.workflow_id = receiver and m.topic = given.topic and m.seq > coalesce(h.seq, 0) and m.value is not null
      order by m.seq limit 1
    ) as m
    where latest is null or m.sent_at <= latest
    order by m.seq limit 1
  ), taken as (
    update ${s}.messages as m set value = null from oldest where m.ctid = oldest.tuple
  )
  select oldest.value, oldest.topic, oldest.dedupe_key, oldest.seq into value, topic, dedupe_key, place from oldest;
  if found then
    ${moveInboxHead(s, "receiver", "take_message_v1.topic", "place")}
  end if;
end;
`);
}
