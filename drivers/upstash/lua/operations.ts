/**
 * The operations of a commit. Each function returns an outcome. For a wait it returns nil if there
 * is none yet.
 */
export const operations = String.raw`
-- Names the queues of all operations. Returns the workflows that the commit starts, because it may
-- send to them.
local function nameQueues()
  local isStarted = {}
  for _, op in ipairs(request.operations) do
    if op.type == 'start' then
      isStarted[op.workflow.workflowId] = true
    elseif op.type == 'send' then
      nameQueue(op.message.destinationId, op.message.topic)
    end
    for _, topic in ipairs(op.topics or {}) do
      nameQueue(own, topic)
    end
  end
  return isStarted
end

-- Writes to make when all operations have been applied and there is room for all.
local effects = {}

local function later(effect)
  append(effects, effect)
end

-- The awaited thing, as in the members of 'waiting'. See waiters.ts.
local function awaited(op)
  if op.key then
    return 'e' .. op.key
  end
  return op.together and 't' or 'r'
end

-- Whether a workflow has ended, and no later than 'latest' if that is given.
local function hasEndedBy(row, latest)
  return row and isEnded(row) and (not latest or row.endedAt <= latest)
end

local function resultOf(row)
  if row.status == 'CANCELLED' then
    return { tag = 'cancelled' }
  end
  local isSuccess = row.status == 'SUCCESS'
  local text = call('HGET', keyOf(row.id, 'workflow'), isSuccess and 'output' or 'error')
  return { tag = isSuccess and 'value' or 'error', text = text or nil }
end

local perform = {}

function perform.record(op)
  local outcome = op.outcome
  return { tag = outcome.tag, text = outcome.value and ARGV[outcome.value], topic = outcome.topic, isGiven = true }
end

function perform.send(op)
  local verdict = judge(op.message)
  if not verdict then
    deliver(op.message)
    later(function()
      wakeReceiver(op.message)
    end)
    verdict = { tag = 'sent', small = op.message.messageId }
  end
  return { tag = verdict.tag, text = verdict.small }
end

function perform.setEvent(op, row)
  setEvent(row, op.key, ARGV[op.value])
  later(function()
    signal(own, awaited(op))
  end)
  changed('outbox:' .. own)
  return { tag = 'done' }
end

function perform.writeStream(op, row)
  local stream = streams[op.key]
  if stream.isClosed then
    return { tag = 'stream_closed' }
  end
  appendValue(row, stream, ARGV[op.value])
  changed('outbox:' .. own)
  return { tag = 'done' }
end

function perform.closeStream(op, row)
  local stream = streams[op.key]
  if stream.isClosed then
    return { tag = 'stream_closed' }
  end
  stream.isClosed = true
  changeStream(row, stream)
  changed('outbox:' .. own)
  return { tag = 'done' }
end

function perform.start(op, row)
  local id, name = op.workflow.workflowId, op.workflow.name
  local existing = load(id)
  if existing and existing.name ~= name then
    return { tag = 'workflow_conflict' }
  elseif not existing then
    -- No other start has this origin: a commit takes effect once, and an owner is never used again.
    local origin = request.owner .. ' ' .. digits(request.number) .. ' ' .. digits(op.position)
    local child = newRow(id, name, 'PENDING', origin)
    local isFirst = addChild(row, child)
    later(function()
      insert(child, ARGV[op.workflow.input])
      if isFirst then
        becomeParent(row)
      end
      makeDue(memberOf(child))
      wokenUp(id)
    end)
  end
  return { tag = 'done', text = id }
end

-- Each looks for the outcome of a wait. Things that came later than 'latest' do not count.
local look = {}

function look.receive(op, latest)
  return takeOldest(inboxOf[own], op.topics, latest)
end

-- The outcome of a wait for a workflow that does not exist.
local function absent(op)
  return op.started and { tag = 'workflow_not_found' } or nil
end

function look.observeEvent(op, latest)
  local row = load(op.workflowId)
  if not row then
    return absent(op)
  end
  local event = eventOf(op.workflowId, op.key)
  if event then
    return (not latest or event.at <= latest) and { tag = 'value', text = event.text } or nil
  end
  return hasEndedBy(row, latest) and { tag = 'workflow_ended', text = row.status } or nil
end

function look.observeResult(op, latest)
  local row = load(op.workflowId)
  if not row then
    return absent(op)
  end
  return hasEndedBy(row, latest) and resultOf(row) or nil
end

function look.sleep()
  return nil
end
`;

/** Applying the operations of a commit in turn. */
export const applying = String.raw`
local hasOutcome = false
-- Whether the commit adds complete or open entries.
local isAdvanced = false

-- Counts the text of the entry if there is one, because a repeat answers with that text. So a
-- repeat defers the same waits.
local function shown(outcome, entry)
  hasOutcome = true
  answered = answered + (entry and wireSize(entry.text) or 0)
  if outcome.isGiven then
    return { given = true }
  end
  local text = outcome.text and value(outcome.text, entry and 0)
  return { outcome = { tag = outcome.tag, value = text, topic = outcome.topic } }
end

local function remaining(entry)
  return { remainingMs = entry.deadline and math.max(0, entry.deadline - now) or cjson.null }
end

local function wait(row, op, entry)
  local isFirst = not entry.isOpen
  if isFirst then
    entry.deadline = op.timeoutMs and after(op.timeoutMs)
  end
  local isOver = entry.deadline and entry.deadline <= now
  local outcome = look[op.type](op, isOver and not isFirst and entry.deadline or nil)
  if not outcome and isOver then
    outcome = { tag = op.type == 'sleep' and 'done' or 'timeout' }
  end
  isAdvanced = isAdvanced or isFirst or outcome ~= nil
  if outcome then
    complete(row, op, entry, outcome)
    if op.type == 'observeResult' and outcome.tag ~= 'timeout' then
      later(function()
        hasRead(row, load(op.workflowId))
      end)
    end
    return shown(outcome, entry)
  end
  if isFirst then
    open(op, entry)
  end
  return remaining(entry)
end

-- The time between two tries of a step. A pause never has an outcome, but a pause that is over
-- keeps the run from being suspended.
local function pause(op, entry)
  if not entry.isOpen or op.attempts > entry.attempts then
    entry.deadline, entry.attempts = after(op.timeoutMs), op.attempts
    open(op, entry)
    isAdvanced = true
  end
  hasOutcome = hasOutcome or entry.deadline <= now
  return remaining(entry)
end

-- When an answer has more bytes than this, it defers all later waits.
local MAX_ANSWER_BYTES = 1048576
local isDeferred = false

local function defers(op)
  local isWait = look[op.type] or op.type == 'pause'
  isDeferred = isDeferred or (isWait and answered > MAX_ANSWER_BYTES)
  return isWait and isDeferred
end

local function recorded(entry)
  hasOutcome = true
  return { entry = value(recordedText(entry)) }
end

local function apply(row, op)
  local entry = op.position and entries[op.position]
  if defers(op) then
    return { deferred = true }
  elseif entry and entry.seq then
    return recorded(entry)
  elseif op.type == 'pause' then
    return pause(op, entry)
  elseif look[op.type] then
    return wait(row, op, entry)
  end
  local outcome = perform[op.type](op, row)
  if entry then
    complete(row, op, entry, outcome)
    isAdvanced = true
  end
  return shown(outcome, entry)
end
`;

/**
 * The answer to a repeat of a commit. It writes nothing, and open waits do not look again.
 */
export const repeated = String.raw`
-- The outcome of an operation without an entry. If the destination does not know the message, it
-- was refused.
local function unrecorded(op)
  if op.type == 'send' then
    local verdict = judge(op.message) or { tag = 'workflow_not_found' }
    return { tag = verdict.tag, text = verdict.small }
  end
  local isRefused = op.type == 'writeStream' and streams[op.key].isClosed
  return { tag = isRefused and 'stream_closed' or 'done' }
end

-- Reports workflows that the first call made due and that nobody has claimed since.
local function stillDue(op)
  if op.type == 'setEvent' then
    signalled(own, awaited(op))
  elseif op.type == 'send' then
    delivered(op.message)
  elseif op.type == 'start' then
    local child = load(op.workflow.workflowId)
    if child and child.epoch == 0 and isDueAt(dueScore(child)) then
      wokenUp(child.id)
    end
  end
end

local function answerAgain(op)
  stillDue(op)
  local entry = op.position and entries[op.position]
  if defers(op) then
    return { deferred = true }
  elseif not entry then
    return shown(unrecorded(op))
  elseif entry.seq then
    return recorded(entry)
  elseif entry.isOpen then
    return remaining(entry)
  elseif look[op.type] or op.type == 'pause' then
    -- The first call did not open it, so the first call deferred it.
    return { deferred = true }
  end
  return { unknown = true }
end
`;
