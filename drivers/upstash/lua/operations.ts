/** The operations of a commit. Each answers with its outcome; a wait, with nil if there is none yet. */
export const operations = String.raw`
local function resultOf(workflow)
  local row = load(workflow)
  if not row or not isEnded(row) then
    return nil
  elseif row.status == 'CANCELLED' then
    return { tag = 'cancelled' }
  end
  local isSuccess = row.status == 'SUCCESS'
  return { tag = isSuccess and 'value' or 'error', text = call('HGET', row.key, isSuccess and 'output' or 'error') or nil }
end

local perform = {}

function perform.record(op)
  return { tag = op.tag, text = op.value and ARGV[op.value], topic = op.topic, isGiven = true }
end

function perform.send(op)
  local verdict = judge(op)
  if not verdict then
    deliver(op)
    verdict = { tag = 'sent', small = op.messageId }
  end
  return { tag = verdict.tag, text = verdict.small }
end

function perform.setEvent(op)
  own.loaded.events = bit.bor(own.loaded.events, bit.lshift(1, op.bucket))
  call('HINCRBY', KEYS[op.events], 'n' .. op.key, '1')
  call('HSET', KEYS[op.events], 'v' .. op.key, ARGV[op.value])
  signal(KEYS[op.waiters])
  changed('outbox:' .. own.id)
  return { tag = 'done' }
end

function perform.writeStream(op)
  local stream = request.streams[op.stream]
  if stream.isClosed then
    return { tag = 'stream_closed' }
  end
  append(stream, ARGV[op.value])
  changed('outbox:' .. own.id)
  return { tag = 'done' }
end

function perform.closeStream(op)
  local stream = request.streams[op.stream]
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
    local row = insert(workflow, 'PENDING', op.name, ARGV[op.input], '')
    makeDue(row.member)
    wokenUp(workflow.id)
  end
  return { tag = 'done', text = workflow.id }
end

local look = {}

function look.receive(op)
  return takeOldest(own, op.queues)
end

function look.observeEvent(op)
  local text = load(request.workflows[op.workflow]) and call('HGET', KEYS[op.events], 'v' .. op.key)
  return text and { tag = 'value', text = text } or nil
end

function look.observeResult(op)
  return resultOf(request.workflows[op.workflow])
end

function look.sleep()
  return nil
end
`;

/** Applying the operations of a commit in turn. */
export const applying = String.raw`
local hasOutcome = false

local function shown(outcome)
  hasOutcome = true
  if outcome.isGiven then
    return { given = true }
  end
  return { tag = outcome.tag, value = outcome.text and value(outcome.text), topic = outcome.topic }
end

local function remaining(entry)
  return { left = entry.deadline and math.max(0, entry.deadline - now) or -1 }
end

local function wait(row, op, entry)
  if not entry.isOpen then
    entry.deadline = op.timeoutMs and after(op.timeoutMs)
  end
  local outcome = look[op.type](op)
  if not outcome and entry.deadline and entry.deadline <= now then
    outcome = { tag = op.type == 'sleep' and 'done' or 'timeout' }
  end
  if outcome then
    complete(row, op, entry, outcome)
    return shown(outcome)
  end
  if not entry.isOpen then
    open(row, op, entry)
  end
  return remaining(entry)
end

local function recorded(entry)
  hasOutcome = true
  return { entry = value(recordedText(own, entry)) }
end

local function apply(row, op)
  local entry = op.position and entries[op.position]
  if entry and entry.seq then
    return recorded(entry)
  elseif look[op.type] then
    return wait(row, op, entry)
  end
  local outcome = perform[op.type](op)
  if entry then
    complete(row, op, entry, outcome)
  end
  return shown(outcome)
end
`;

/** The answer to a commit that was made before: what is recorded. Nothing is written, and an open wait does not look again. */
export const repeated = String.raw`
-- What came of an operation that leaves no entry. A message that is not known was refused.
local function unrecorded(op)
  if op.type == 'send' then
    local verdict = judge(op) or { tag = 'workflow_not_found' }
    return { tag = verdict.tag, text = verdict.small }
  end
  local isRefused = op.type == 'writeStream' and request.streams[op.stream].isClosed
  return { tag = isRefused and 'stream_closed' or 'done' }
end

-- Who was made due and was not claimed since.
local function stillDue(op)
  if op.type == 'setEvent' then
    signalled(KEYS[op.waiters])
  elseif op.type == 'send' then
    delivered(op)
  elseif op.type == 'start' then
    local child = load(request.workflows[op.workflow])
    if child and child.epoch == 0 and isDueAt(call('ZSCORE', DUE, child.member)) then
      wokenUp(child.id)
    end
  end
end

local function again(op)
  stillDue(op)
  local entry = op.position and entries[op.position]
  if not entry then
    return shown(unrecorded(op))
  elseif entry.seq then
    return recorded(entry)
  elseif entry.isOpen then
    return remaining(entry)
  end
  return { unknown = op.position }
end
`;
