/**
 * The messages of a workflow: one hash. It has the number of the last message, the bytes of the messages and
 * of `sent`, where the queue of each topic begins and ends (`tTOPIC`), and the messages (`PLACE:TOPIC`).
 */
export const inbox = String.raw`
local function openInbox(workflow)
  local inbox = { key = keyOf(workflow, 'inbox'), last = 0, bytes = 0, sentBytes = 0 }
  inbox.fresh, inbox.removed, inbox.sent, inbox.queues = {}, {}, {}, {}
  local fields = { 'last', 'bytes', 'sentBytes' }
  for _, topic in ipairs(workflow.topics) do
    append(fields, 't' .. topic)
  end
  readFields(inbox.key, fields, function(index, text)
    if index <= 3 then
      inbox[fields[index]] = tonumber(text or '0')
    else
      local topic = workflow.topics[index - 3]
      local head, tail = string.match(text or '0:0', '^(%d+):(%d+)$')
      inbox.queues[topic] = { topic = topic, head = tonumber(head), tail = tonumber(tail) }
    end
  end)
  inbox.planned, inbox.plannedSent = inbox.bytes, inbox.sentBytes
  workflow.opened = inbox
end

-- A workflow that the commit starts may be sent to by the operations that follow.
local function openInboxes()
  for _, op in ipairs(request.operations or {}) do
    if op.type == 'start' then
      request.workflows[op.workflow].isStarted = true
    end
  end
  for _, workflow in ipairs(request.workflows) do
    if workflow.topics and (workflow.isStarted or load(workflow)) then
      openInbox(workflow)
    end
  end
end

local function messageField(queue, place)
  return digits(place) .. ':' .. queue.topic
end

-- Messages are written when all are known, so that those of one call are one command.
local function push(inbox, queue, text)
  local field = messageField(queue, queue.tail)
  inbox.last = inbox.last + 1
  inbox.fresh[field] = digits(inbox.last) .. ':' .. digits(now) .. ':' .. text
  inbox.bytes = inbox.bytes + #field + #inbox.fresh[field]
  queue.tail = queue.tail + 1
  queue.isChanged = true
end

-- The oldest message: its number, the instant of its send, its text.
local function firstOf(inbox, queue)
  if not queue.first then
    local field = messageField(queue, queue.head)
    local stored = inbox.fresh[field] or call('HGET', inbox.key, field)
    local number, at, text = string.match(stored, '^(%d+):(%d+):(.*)$')
    queue.first = { number = tonumber(number), at = tonumber(at), text = text, field = field, size = #field + #stored }
  end
  return queue.first
end

local function pop(inbox, queue)
  local first = firstOf(inbox, queue)
  if inbox.fresh[first.field] then
    inbox.fresh[first.field] = nil
  else
    append(inbox.removed, first.field)
  end
  inbox.bytes = inbox.bytes - first.size
  queue.head, queue.first, queue.isChanged = queue.head + 1, nil, true
  return first.text
end

-- Takes the oldest message of some topics. With 'latest', only a message that was sent no later.
local function takeOldest(workflow, topics, latest)
  local inbox, oldest = workflow.opened, nil
  for _, topic in ipairs(topics) do
    local queue = inbox.queues[topic]
    local isEligible = queue.head < queue.tail and (not latest or firstOf(inbox, queue).at <= latest)
    if isEligible and (not oldest or firstOf(inbox, queue).number < firstOf(inbox, oldest).number) then
      oldest = queue
    end
  end
  return oldest and { tag = 'message', text = pop(inbox, oldest), topic = oldest.topic }
end

local function closeInbox(workflow)
  local inbox, fields, sent = workflow.opened, {}, {}
  for _, queue in pairs(inbox and inbox.queues or {}) do
    if queue.isChanged and queue.head < queue.tail then
      append(fields, 't' .. queue.topic, digits(queue.head) .. ':' .. digits(queue.tail))
    elseif queue.isChanged then
      append(inbox.removed, 't' .. queue.topic)
    end
    inbox.isChanged = inbox.isChanged or queue.isChanged
  end
  if not inbox or not inbox.isChanged then
    return
  end
  append(fields, 'last', digits(inbox.last), 'bytes', digits(inbox.bytes), 'sentBytes', digits(inbox.sentBytes))
  for field, text in pairs(inbox.fresh) do
    append(fields, field, text)
  end
  for dedupeKey, text in pairs(inbox.sent) do
    append(sent, dedupeKey, text)
  end
  callWith('HDEL', inbox.key, inbox.removed)
  callWith('HSET', inbox.key, fields)
  callWith('HSET', keyOf(workflow, 'sent'), sent)
end
`;

/** Sending, from outside and from workflows. A message is judged before anything of it is written. */
export const messages = String.raw`
-- What the destination knows under a dedupe key: the message's ID, whose length comes first, and its topic.
local function sentText(message)
  return #message.messageId .. ':' .. message.messageId .. message.topic
end

local function parseSent(text)
  local length, rest = string.match(text, '^(%d+):(.*)$')
  return { messageId = string.sub(rest, 1, tonumber(length)), topic = string.sub(rest, tonumber(length) + 1) }
end

local function isWaitedFor(row, topic)
  local suspended = decoded(row.suspended)
  for _, waited in ipairs(suspended and suspended.topics or {}) do
    if waited == topic then
      return true
    end
  end
  return false
end

-- What would come of a message; nil: it is delivered. A repeat is recognised before the status counts, so
-- that it answers as the first call did.
local function judge(message)
  local workflow = request.workflows[message.to]
  local row = load(workflow)
  if not row then
    return { tag = 'workflow_not_found' }
  end
  local fresh = workflow.opened and workflow.opened.sent[message.dedupeKey]
  local text = fresh or call('HGET', keyOf(workflow, 'sent'), message.dedupeKey)
  local first = text and parseSent(text)
  if first and first.topic ~= message.topic then
    return { tag = 'idempotency_conflict' }
  elseif first then
    return { tag = first.messageId == message.messageId and 'sent' or 'duplicate', small = first.messageId }
  elseif isEnded(row) then
    return { tag = 'workflow_ended', small = row.status }
  end
end

-- Whether there is room for a message. The text of a message has at most 32 bytes before it.
local function planMessage(message)
  local workflow = request.workflows[message.to]
  local row, inbox = load(workflow), workflow.opened
  if inbox and not (row and isEnded(row)) then
    inbox.planned = inbox.planned + #ARGV[message.value] + #message.topic + 48
    inbox.plannedSent = inbox.plannedSent + #message.dedupeKey + #sentText(message)
    checkRoom('messages', workflow.id, inbox.planned)
    checkRoom('idempotency keys', workflow.id, inbox.plannedSent)
  end
end

local function deliver(message)
  local workflow = request.workflows[message.to]
  local row, inbox = workflow.loaded, workflow.opened
  push(inbox, inbox.queues[message.topic], ARGV[message.value])
  inbox.sent[message.dedupeKey] = sentText(message)
  inbox.sentBytes = inbox.sentBytes + #message.dedupeKey + #sentText(message)
  changed('inbox:' .. workflow.id)
end

local function wakeReceiver(message)
  local row = request.workflows[message.to].loaded
  if isWaitedFor(row, message.topic) and wake(row.member) then
    wokenUp(row.id)
  end
end

-- For a repeat: reports the destination if it is still due.
local function delivered(message)
  local row = load(request.workflows[message.to])
  if row and not row.held and isWaitedFor(row, message.topic) and isDueAt(call('ZSCORE', DUE, row.member)) then
    wokenUp(row.id)
  end
end
`;
