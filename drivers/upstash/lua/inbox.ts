/**
 * The messages of a workflow: one hash. It has the number of the last message, the bytes of the
 * messages and of `sent`, where the queue of each topic begins and ends (`tTOPIC`), and the
 * messages (`PLACE:TOPIC`).
 */
export const inbox = String.raw`
-- The inboxes of a request, in the order in which it names them, and by ID. Each has the queues
-- that it names.
local inboxes, inboxOf = {}, {}

local function nameQueue(id, topic)
  local inbox = inboxOf[id]
  if not inbox then
    inbox = { id = id, key = keyOf(id, 'inbox'), topics = {}, queues = {}, fresh = {}, removed = {}, sent = {} }
    inboxOf[id] = inbox
    append(inboxes, inbox)
  end
  if not inbox.queues[topic] then
    inbox.queues[topic] = { topic = topic, head = 0, tail = 0 }
    append(inbox.topics, topic)
  end
end

local COUNTERS = { 'last', 'bytes', 'sentBytes' }

-- Reads an inbox. An absent hash is an empty inbox.
local function openInbox(inbox)
  local fields = { unpack(COUNTERS) }
  for _, topic in ipairs(inbox.topics) do
    append(fields, 't' .. topic)
  end
  readFields(inbox.key, fields, function(index, text)
    if index <= #COUNTERS then
      inbox[fields[index]] = tonumber(text or '0')
    elseif text then
      local queue = inbox.queues[inbox.topics[index - #COUNTERS]]
      local head, tail = string.match(text, '^(%d+):(%d+)$')
      queue.head, queue.tail = tonumber(head), tonumber(tail)
    end
  end)
  inbox.bytesBefore, inbox.sentBytesBefore = inbox.bytes, inbox.sentBytes
end

-- Reads the inboxes of workflows that exist or that the request starts.
local function openInboxes(isStarted)
  for _, inbox in ipairs(inboxes) do
    if isStarted[inbox.id] or load(inbox.id) then
      openInbox(inbox)
    end
  end
end

local function messageField(queue, place)
  return digits(place) .. ':' .. queue.topic
end

-- Adds a message in memory. All messages of a call are written by one command.
local function push(inbox, queue, text)
  local field = messageField(queue, queue.tail)
  inbox.last = inbox.last + 1
  inbox.fresh[field] = digits(inbox.last) .. ':' .. digits(now) .. ':' .. text
  inbox.bytes = inbox.bytes + #field + #inbox.fresh[field]
  queue.tail = queue.tail + 1
  queue.isChanged, inbox.isChanged = true, true
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
  queue.head, queue.first = queue.head + 1, nil
  queue.isChanged, inbox.isChanged = true, true
  return first.text
end

-- Takes the oldest message of some topics. With 'latest', only a message that was sent no later.
local function takeOldest(inbox, topics, latest)
  local oldest
  for _, topic in ipairs(topics) do
    local queue = inbox.queues[topic]
    local isEligible = queue.head < queue.tail and (not latest or firstOf(inbox, queue).at <= latest)
    if isEligible and (not oldest or firstOf(inbox, queue).number < firstOf(inbox, oldest).number) then
      oldest = queue
    end
  end
  return oldest and { tag = 'message', text = pop(inbox, oldest), topic = oldest.topic }
end

local function writeInbox(inbox)
  if not inbox.isChanged then
    return
  end
  local fields, sent = {}, {}
  for topic, queue in pairs(inbox.queues) do
    if queue.isChanged and queue.head < queue.tail then
      append(fields, 't' .. topic, digits(queue.head) .. ':' .. digits(queue.tail))
    elseif queue.isChanged then
      append(inbox.removed, 't' .. topic)
    end
  end
  for _, counter in ipairs(COUNTERS) do
    append(fields, counter, digits(inbox[counter]))
  end
  for field, text in pairs(inbox.fresh) do
    append(fields, field, text)
  end
  for dedupeKey, text in pairs(inbox.sent) do
    append(sent, dedupeKey, text)
  end
  callWith('HDEL', inbox.key, inbox.removed)
  callWith('HSET', inbox.key, fields)
  callWith('HSET', keyOf(inbox.id, 'sent'), sent)
end

local function writeInboxes()
  for _, inbox in ipairs(inboxes) do
    writeInbox(inbox)
  end
end

-- The first collection that would outgrow its key. Scripts check this before their first write.
local overflow

local function checkRoom(what, id, before, bytes)
  if bytes > before and bytes > request.maxBytes then
    overflow = overflow or { what = what, id = id, bytes = bytes }
  end
end

local function checkInboxes()
  for _, inbox in ipairs(inboxes) do
    if inbox.isChanged then
      checkRoom('messages', inbox.id, inbox.bytesBefore, inbox.bytes)
      checkRoom('idempotency keys', inbox.id, inbox.sentBytesBefore, inbox.sentBytes)
    end
  end
end
`;

/** Sending, from outside and from workflows. */
export const sending = String.raw`
-- The value of a dedupe key: the length of the message's ID, the ID, and the topic.
local function sentText(message)
  return #message.messageId .. ':' .. message.messageId .. message.topic
end

local function parseSent(text)
  local length, rest = string.match(text, '^(%d+):(.*)$')
  return { messageId = string.sub(rest, 1, tonumber(length)), topic = string.sub(rest, tonumber(length) + 1) }
end

local function isWaitedFor(row, topic)
  for _, waited in ipairs(row.suspended and row.suspended.topics or {}) do
    if waited == topic then
      return true
    end
  end
  return false
end

-- The outcome of a message that is not delivered; nil for one that is. A repeat is recognised
-- before the status is checked, so that it answers as the first call did.
local function judge(message)
  local id = message.destinationId
  local row = load(id)
  if not row then
    return { tag = 'workflow_not_found' }
  end
  local fresh = inboxOf[id].sent[message.dedupeKey]
  local text = fresh or call('HGET', keyOf(id, 'sent'), message.dedupeKey)
  local first = text and parseSent(text)
  if first and first.topic ~= message.topic then
    return { tag = 'idempotency_conflict' }
  elseif first then
    return { tag = first.messageId == message.messageId and 'sent' or 'duplicate', small = first.messageId }
  elseif isEnded(row) then
    return { tag = 'workflow_ended', small = row.status }
  end
end

local function deliver(message)
  local inbox, sent = inboxOf[message.destinationId], sentText(message)
  push(inbox, inbox.queues[message.topic], ARGV[message.value])
  inbox.sent[message.dedupeKey] = sent
  inbox.sentBytes = inbox.sentBytes + #message.dedupeKey + #sent
  changed('inbox:' .. inbox.id)
end

local function wakeReceiver(message)
  local row = load(message.destinationId)
  if isWaitedFor(row, message.topic) and wake(memberOf(row)) then
    wokenUp(row.id)
  end
end

-- For a repeat: reports the destination if it is still due.
local function delivered(message)
  local row = load(message.destinationId)
  if row and not row.held and isWaitedFor(row, message.topic) and isDueAt(dueScore(row)) then
    wokenUp(row.id)
  end
end
`;
