/** The operations of a commit. Each answers with its outcome; a wait, with nil if there is none yet. */
export const operations = String.raw`
local NOT_FOUND = { tag = 'workflow_not_found' }

-- Whether a workflow has ended, and no later than 'latest' if that is given.
local function hasEndedBy(row, latest)
  return row and isEnded(row) and (not latest or row.endedAt <= latest)
end

local function resultOf(row)
  if row.status == 'CANCELLED' then
    return { tag = 'cancelled' }
  end
  local isSuccess = row.status == 'SUCCESS'
  local text = call('HGET', row.key, isSuccess and 'output' or 'error')
  return { tag = isSuccess and 'value' or 'error', text = text or nil }
end

local perform = {}

function perform.record(op)
  return { tag = op.tag, text = op.value and ARGV[op.value], topic = op.topic, isGiven = true }
end

function perform.send(op)
  local verdict = judge(op)
  if not verdict then
    deliver(op)
    wakeReceiver(op)
    verdict = { tag = 'sent', small = op.messageId }
  end
  return { tag = verdict.tag, text = verdict.small }
end

function perform.setEvent(op)
  writeEvent(own.loaded, op.key, ARGV[op.value])
  signal(own.id, op.what)
  changed('outbox:' .. own.id)
  return { tag = 'done' }
end

function perform.writeStream(op)
  local stream = streams[op.stream]
  if stream.isClosed then
    return { tag = 'stream_closed' }
  end
  appendValue(own.loaded, stream, ARGV[op.value])
  changed('outbox:' .. own.id)
  return { tag = 'done' }
end

function perform.closeStream(op)
  local stream = streams[op.stream]
  if stream.isClosed then
    return { tag = 'stream_closed' }
  end
  stream.isClosed, stream.isChanged = true, true
  changed('outbox:' .. own.id)
  return { tag = 'done' }
end

function perform.start(op)
  local workflow = request.workflows[op.workflow]
  local existing = load(workflow)
  if existing and existing.name ~= op.name then
    return { tag = 'workflow_conflict' }
  elseif not existing then
    -- A commit is made once, and an owner never comes again.
    local origin = request.owner .. ' ' .. digits(request.number) .. ' ' .. digits(op.position)
    local row = insert(workflow, 'PENDING', {
      name = op.name, input = ARGV[op.input], owner = '', origin = origin, parent = familyOf(own.loaded),
    })
    if not own.loaded.isParent then
      becomeParent(own.loaded)
    end
    makeDue(row.member)
    wokenUp(workflow.id)
  end
  return { tag = 'done', text = workflow.id }
end

-- 'latest': what came later does not count.
local look = {}

function look.receive(op, latest)
  return takeOldest(own, op.topics, latest)
end

function look.observeEvent(op, latest)
  local row = load(request.workflows[op.workflow])
  if not row then
    return op.started and NOT_FOUND or nil
  end
  local fields = call('HMGET', keyOf(request.workflows[op.workflow], 'events'), 'v' .. op.key, 'n' .. op.key)
  if fields[1] then
    local at = tonumber(string.match(fields[2], ':(%d+):'))
    return (not latest or at <= latest) and { tag = 'value', text = fields[1] } or nil
  end
  return hasEndedBy(row, latest) and { tag = 'workflow_ended', text = row.status } or nil
end

function look.observeResult(op, latest)
  local row = load(request.workflows[op.workflow])
  if not row then
    return op.started and NOT_FOUND or nil
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

-- What has an entry counts as its text does, which is what a repeat answers with: so a repeat puts off the
-- same waits.
local function shown(outcome, entry)
  hasOutcome = true
  answered = answered + (entry and wireSize(entry.text) or 0)
  if outcome.isGiven then
    return { given = true }
  end
  return { tag = outcome.tag, value = outcome.text and value(outcome.text, entry and 0), topic = outcome.topic }
end

local function remaining(entry)
  return { left = entry.deadline and math.max(0, entry.deadline - now) or -1 }
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
  if outcome then
    complete(row, op, entry, outcome)
    if op.type == 'observeResult' then
      hasRead(row, load(request.workflows[op.workflow]), outcome)
    end
    return shown(outcome, entry)
  end
  if isFirst then
    open(row, op, entry)
  end
  return remaining(entry)
end

-- The time between two tries of a step. It never has an outcome, but one that is over keeps the run from
-- being suspended.
local function pause(row, op, entry)
  if not entry.isOpen or op.attempts > entry.attempts then
    entry.deadline, entry.attempts = after(op.timeoutMs), op.attempts
    open(row, op, entry)
  end
  hasOutcome = hasOutcome or entry.deadline <= now
  return remaining(entry)
end

-- An answer with more bytes than this defers the waits that are left.
local ANSWER_BYTES = 1048576
local isDeferred = false

local function isPutOff(op)
  local isWait = look[op.type] or op.type == 'pause'
  isDeferred = isDeferred or (isWait and answered > ANSWER_BYTES)
  return isWait and isDeferred
end

local function recorded(entry)
  hasOutcome = true
  return { entry = value(recordedText(entry)) }
end

local function apply(row, op)
  local entry = op.position and entries[op.position]
  if isPutOff(op) then
    return { deferred = true }
  elseif entry and entry.seq then
    return recorded(entry)
  elseif op.type == 'pause' then
    return pause(row, op, entry)
  elseif look[op.type] then
    return wait(row, op, entry)
  end
  local outcome = perform[op.type](op)
  if entry then
    complete(row, op, entry, outcome)
  end
  return shown(outcome, entry)
end
`;

/** The answer to a commit that was made before. It writes nothing, and an open wait does not look again. */
export const repeated = String.raw`
-- What came of an operation that leaves no entry. A message that is not known was refused.
local function unrecorded(op)
  if op.type == 'send' then
    local verdict = judge(op) or { tag = 'workflow_not_found' }
    return { tag = verdict.tag, text = verdict.small }
  end
  local isRefused = op.type == 'writeStream' and streams[op.stream].isClosed
  return { tag = isRefused and 'stream_closed' or 'done' }
end

-- Who was made due and was not claimed since.
local function stillDue(op)
  if op.type == 'setEvent' then
    signalled(own.id, op.what)
  elseif op.type == 'send' then
    delivered(op)
  elseif op.type == 'start' then
    local child = load(request.workflows[op.workflow])
    if child and child.epoch == 0 and isDueAt(call('ZSCORE', DUE, child.member)) then
      wokenUp(child.id)
    end
  end
end

local function answerAgain(op)
  stillDue(op)
  local entry = op.position and entries[op.position]
  if isPutOff(op) then
    return { deferred = true }
  elseif not entry then
    return shown(unrecorded(op))
  elseif entry.seq then
    return recorded(entry)
  elseif entry.isOpen then
    return remaining(entry)
  elseif look[op.type] or op.type == 'pause' then
    -- The first call did not open it, so it was put off.
    return { deferred = true }
  end
  return { unknown = op.position }
end
`;
