/**
 * The messages of a workflow. Workflows and callers from outside send in the same way. A sender
 * writes the inbox alone: how far a topic was received is in the hash of the workflow, which its
 * run writes anyway.
 */
export const inbox = [
  String.raw`local function inboxOf(id) return hashOf(id, 'inbox') end
local function headOf(id, topic) return tonumber(read(hashOf(id, 'workflow'), 'h:' .. topic) or '0') end

local function wantMessage(message)
  local id = message.destinationId
  want(hashOf(id, 'workflow'), 'row', 'h:' .. message.topic)
  want(inboxOf(id), 'last', 'bytes', 't:' .. message.topic, 'k:' .. message.dedupeKey)
end`,
  // Names the queues from which the workflow may receive, with their first messages. The row was read
  // before, so this needs no read.
  String.raw`local function wantQueues(topics)
  for _, topic in ipairs(topics or {}) do
    want(inboxOf(own), 't:' .. topic, placeField(headOf(own, topic), topic))
  end
end`,
  // A message as it is stored: its number, the instant of its send, its ID, its dedupe key, its text.
  String.raw`local function parseMessage(stored)
  local number, at, names, text = string.match(stored, '^(%d+):(%d+):([^\n]*)\n(.*)$')
  local messageId, dedupeKey = unpack(cjson.decode(names))
  return { number = tonumber(number), at = tonumber(at), messageId = messageId, dedupeKey = dedupeKey, text = text }
end

local function messageText(message)
  local names = cjson.encode({ message.messageId, message.dedupeKey })
  return digits(message.number) .. ':' .. digits(message.at) .. ':' .. names .. '\n' .. message.text
end`,
  // The oldest message of a queue; nil if it is empty.
  String.raw`local function firstOf(topic)
  local head = headOf(own, topic)
  local tail = tonumber(read(inboxOf(own), 't:' .. topic) or '0')
  if head >= tail then return nil end
  local field = placeField(head, topic)
  local first = parseMessage(read(inboxOf(own), field))
  first.topic, first.field, first.nextHead, first.isLast = topic, field, head + 1, head + 1 == tail
  return first
end`,
  // Takes the oldest message of some topics. With 'latest', only a message that was sent no later.
  String.raw`local function takeOldest(topics, latest)
  local oldest
  for _, topic in ipairs(topics) do
    local first = firstOf(topic)
    local isEligible = first and (not latest or first.at <= latest)
    if isEligible and (not oldest or first.number < oldest.number) then oldest = first end
  end
  if not oldest then return nil end
  local inbox, row = inboxOf(own), load(own)
  local growth = inbox.growth
  row.received = row.received + 1
  put(inbox, oldest.field, false)
  if oldest.isLast then put(inbox, 't:' .. oldest.topic, false) end
  row.takenBytes, inbox.growth = row.takenBytes + growth - inbox.growth, growth
  put(hashOf(own, 'workflow'), 'h:' .. oldest.topic, digits(oldest.nextHead))
  local message = { oldest.number, oldest.at, oldest.messageId, oldest.dedupeKey }
  return { tag = 'message', text = oldest.text, topic = oldest.topic, message = message }
end`,
  // Makes received messages of a topic unread again. They are older than those that wait, so they take
  // the places before these.
  String.raw`local function restore(row, topic, messages)
  table.sort(messages, function(a, b) return a.number < b.number end)
  local inbox, head = inboxOf(row.id), headOf(row.id, topic)
  local growth = inbox.growth
  if not read(inbox, 't:' .. topic) then put(inbox, 't:' .. topic, digits(head)) end
  for index, message in ipairs(messages) do
    put(inbox, placeField(head - #messages + index - 1, topic), messageText(message))
  end
  row.takenBytes, inbox.growth = row.takenBytes + growth - inbox.growth, growth
  row.received = row.received - #messages
  put(hashOf(row.id, 'workflow'), 'h:' .. topic, digits(head - #messages))
end`,
  // The first key that would hold too much. Scripts check this before their first write.
  String.raw`local overflow

local function checkRoom(what, id, growth, bytes)
  local isTooLarge = growth > 0 and bytes > request.maxBytes
  if isTooLarge then overflow = overflow or { what = what, id = id, bytes = bytes } end
  return bytes
end`,
  // The workflows to which the request sends.
  String.raw`local receivers = {}

local function checkInboxes()
  for _, row in ipairs(receivers) do
    local inbox = inboxOf(row.id)
    local bytes, growth = tonumber(read(inbox, 'bytes') or '0') + inbox.growth, inbox.growth
    checkRoom('messages and idempotency keys', row.id, growth, bytes - row.takenBytes)
    put(inbox, 'bytes', digits(bytes))
  end
end`,
  // The outcome of a message that is not delivered; nil for one that is. A repeat is recognised
  // before the status is checked, so that it answers as the first call did.
  String.raw`local function judge(message)
  local row = load(message.destinationId)
  if not row then return { tag = 'workflow_not_found' } end
  local text = read(inboxOf(row.id), 'k:' .. message.dedupeKey)
  if text then
    local messageId, topic = string.match(text, '^([^%z]*)%z(.*)$')
    if topic ~= message.topic then return { tag = 'idempotency_conflict' } end
    return { tag = messageId == message.messageId and 'sent' or 'duplicate', text = messageId }
  end
  return isEnded(row) and { tag = 'workflow_ended', text = row.status } or nil
end

local function isWaitedFor(row, topic) return row.suspended and setOf(row.suspended.topics)[topic] end

local function send(message)
  local verdict = judge(message)
  if verdict then return verdict end
  local row, topic = load(message.destinationId), message.topic
  local inbox = inboxOf(row.id)
  local number = tonumber(read(inbox, 'last') or '0') + 1
  local place = tonumber(read(inbox, 't:' .. topic) or headOf(row.id, topic))
  put(inbox, 'last', digits(number))
  put(inbox, 't:' .. topic, digits(place + 1))
  local names = { messageId = message.messageId, dedupeKey = message.dedupeKey }
  names.number, names.at, names.text = number, now, ARGV[message.value]
  put(inbox, placeField(place, topic), messageText(names))
  put(inbox, 'k:' .. message.dedupeKey, message.messageId .. '\0' .. topic)
  appendNew(receivers, row)
  changed('inbox:' .. row.id)
  if isWaitedFor(row, topic) and wake(memberOf(row)) then wokenUp(row.id) end
  return { tag = 'sent', text = message.messageId, isFirst = true }
end`,
  // For a repeat: reports the destination if it is still due.
  String.raw`local function delivered(message)
  local row = load(message.destinationId)
  if row and not row.held and isWaitedFor(row, message.topic) and isDueAt(dueScore(memberOf(row))) then
    wokenUp(row.id)
  end
end`,
].join("\n");
