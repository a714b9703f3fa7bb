/** The messages of a workflow: a queue for each topic, split over segments. */
export const inbox = String.raw`
-- A queue goes on in a new segment when the messages in its last one have more bytes than this: Upstash allows a key 100 MB.
local SEGMENT_BYTES = 16777216

-- Where a queue begins and ends. One that a call leaves empty begins anew at segment 0, where whoever does not know looks first.
local function openQueue(queue, text)
  local head, tail, bytes = string.match(text or '0:0:0', '^(%d+):(%d+):(%d+)$')
  queue.head, queue.tail, queue.bytes = tonumber(head), tonumber(tail), tonumber(bytes)
  queue.isFilled = text and true or false
  queue.into = queue.bytes > SEGMENT_BYTES and queue.tail + 1 or queue.tail
end

local function openInbox(workflow)
  local inbox = { key = KEYS[workflow.inbox] }
  local fields = { 'last', 'sent' }
  for index, queue in ipairs(workflow.queues) do
    fields[index + 2] = 't' .. queue.topic
  end
  readFields(inbox.key, fields, function(index, text)
    if index <= 2 then
      inbox[fields[index]] = tonumber(text or '0')
    else
      openQueue(workflow.queues[index - 2], text)
    end
  end)
  workflow.opened = inbox
end

-- Looks for the segments that sends and receives will need.
local function planQueue(queue)
  if queue.sends > 0 then
    segment(queue, queue.into)
  end
  local left = queue.receives
  for number = queue.head, queue.into do
    local key = left > 0 and segment(queue, number)
    left = key and number < queue.tail and left - call('LLEN', key) or left
  end
end

-- Messages are gathered, so that those of one queue are one call.
local function push(inbox, queue, text)
  inbox.last = inbox.last + 1
  inbox.isChanged = true
  if queue.tail ~= queue.into then
    queue.tail, queue.bytes = queue.into, 0
  end
  queue.isFilled, queue.isChanged = true, true
  queue.bytes = queue.bytes + #text
  queue.pushed = queue.pushed or {}
  table.insert(queue.pushed, digits(inbox.last) .. ':' .. digits(now) .. ':' .. text)
end

local function writePushed(queue)
  if queue.pushed then
    callWith('RPUSH', segment(queue, queue.tail), queue.pushed)
    queue.pushed = nil
  end
end

-- The oldest message: its number, and when it was sent.
local function firstOf(queue)
  if not queue.first then
    writePushed(queue)
    local number, at = string.match(call('LINDEX', segment(queue, queue.head), '0'), '^(%d+):(%d+):')
    queue.first = { number = tonumber(number), at = tonumber(at) }
  end
  return queue.first
end

-- Takes the oldest message.
local function pop(queue)
  writePushed(queue)
  local key = segment(queue, queue.head)
  local text = string.match(call('LPOP', key), '^%d+:%d+:(.*)$')
  queue.isChanged, queue.first = true, nil
  if queue.head == queue.tail then
    queue.bytes = math.max(0, queue.bytes - #text)
  end
  if call('EXISTS', key) == 1 then
    return text
  end
  if queue.head < queue.tail then
    queue.head = queue.head + 1
  else
    -- What is sent next in this call goes where it was planned to.
    queue.isFilled, queue.head, queue.tail, queue.bytes = false, queue.into, queue.into, 0
  end
  return text
end

-- Takes a message that was sent no later than 'latest', if that is given. Looks into queues only then, or where there is more than one to choose from.
local function takeOldest(workflow, indexes, latest)
  local oldest
  for _, index in ipairs(indexes) do
    local queue = workflow.queues[index]
    local isEligible = queue.isFilled and (not latest or firstOf(queue).at <= latest)
    if isEligible and (not oldest or firstOf(queue).number < firstOf(oldest).number) then
      oldest = queue
    end
  end
  return oldest and { tag = 'message', text = pop(oldest), topic = oldest.topic }
end

local function closeInbox(workflow)
  local inbox = workflow.opened
  if not inbox then
    return
  end
  local fields = inbox.isChanged and { 'last', digits(inbox.last), 'sent', digits(inbox.sent) } or {}
  for _, queue in ipairs(workflow.queues) do
    writePushed(queue)
    if queue.isChanged and queue.isFilled then
      fields[#fields + 1] = 't' .. queue.topic
      fields[#fields + 1] = digits(queue.head) .. ':' .. digits(queue.tail) .. ':' .. digits(queue.bytes)
    elseif queue.isChanged then
      call('HDEL', inbox.key, 't' .. queue.topic)
    end
  end
  callWith('HSET', inbox.key, fields)
end
`;

/** Sending, from outside and from workflows. Reads first: nothing is written before it is known what becomes of the message. */
export const messages = String.raw`
-- What is known of a message under a dedupe key: its ID, whose length comes first, and its topic.
local function parseSent(text)
  local length, rest = string.match(text, '^(%d+):(.*)$')
  return { messageId = string.sub(rest, 1, tonumber(length)), topic = string.sub(rest, tonumber(length) + 1) }
end

local function topicOf(message)
  return request.workflows[message.to].queues[message.queue].topic
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

-- What would come of a message; nil: it is delivered. A repeat is known before the status is looked at: it answers as the first did.
local function judge(message, earlier)
  local row = load(request.workflows[message.to])
  if not row then
    return { tag = 'workflow_not_found' }
  end
  local text = call('HGET', KEYS[message.sent], message.dedupeKey)
  local first = text and parseSent(text) or earlier
  if first and first.topic ~= topicOf(message) then
    return { tag = 'idempotency_conflict' }
  elseif first then
    return { tag = first.messageId == message.messageId and 'sent' or 'duplicate', small = first.messageId }
  elseif isEnded(row) then
    return { tag = 'workflow_ended', small = row.status }
  end
end

local function deliver(message)
  local workflow = request.workflows[message.to]
  local row, queue = workflow.loaded, workflow.queues[message.queue]
  push(workflow.opened, queue, ARGV[message.value])
  workflow.opened.sent = bit.bor(workflow.opened.sent, bit.lshift(1, message.bucket))
  call('HSET', KEYS[message.sent], message.dedupeKey, #message.messageId .. ':' .. message.messageId .. queue.topic)
  changed('inbox:' .. workflow.id)
  if isWaitedFor(row, queue.topic) and wake(row.member) then
    wokenUp(workflow.id)
  end
end

-- For a repeat: whether the destination is still due.
local function delivered(message)
  local row = load(request.workflows[message.to])
  if row and not row.held and isWaitedFor(row, topicOf(message)) and isDueAt(call('ZSCORE', DUE, row.member)) then
    wokenUp(row.id)
  end
end
`;
