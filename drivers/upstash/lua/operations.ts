/**
 * The operations of a commit, and the entries of the journal. Functions of `perform` return an
 * outcome, and functions of `look` the outcome of a wait if there is one.
 */
export const operations = [
  String.raw`local ownHash = hashOf(own, 'workflow')`,
  // By position: entries that are recorded, open, or about to be written.
  String.raw`local entries = {}

local function positionField(position) return 'p:' .. digits(position) end

local function entryAt(position)
  if not entries[position] then
    local text, entry = read(ownHash, positionField(position)), {}
    entries[position], entry.seq = entry, text and tonumber(text)
    entry.isOpen = text and not entry.seq
    if entry.isOpen then entry.deadline, entry.attempts, entry.label, entry.startedAt = parseOpen(text) end
  end
  return entries[position]
end

local function startOf(op) return now - (op.ageMs or 0) end`,
  // A complete entry is JSON, a line feed, and the value. See 'parseEntry' in script_calls.ts.
  String.raw`local function complete(row, op, entry, outcome)
  row.entries = row.entries + 1
  entry.seq = row.entries
  local startedAt = entry.startedAt or startOf(op)
  local head = { op.position, entry.label or op.label, outcome.tag, outcome.text and 1 or 0 }
  append(head, outcome.topic or cjson.null, startedAt, now - startedAt, op.attempts or 0)
  append(head, outcome.tag == 'timeout' and entry.deadline or cjson.null, outcome.message)
  entry.text = cjson.encode(head) .. '\n' .. (outcome.text or '')
  put(ownHash, digits(entry.seq), entry.text)
  put(ownHash, positionField(op.position), digits(entry.seq))
  for index, position in ipairs(entry.isOpen and row.open or {}) do
    if position == op.position then return table.remove(row.open, index) end
  end
end

local function open(row, op, entry)
  if not entry.isOpen then append(row.open, op.position) end
  entry.isOpen, entry.label, entry.startedAt = true, entry.label or op.label, entry.startedAt or startOf(op)
  local deadline = entry.deadline and digits(entry.deadline) or ''
  local times = deadline .. ':' .. digits(entry.attempts or 0) .. ':' .. digits(entry.startedAt)
  put(ownHash, positionField(op.position), times .. ':' .. entry.label)
end`,
  // Names the fields that an operation may need.
  String.raw`local function wantFields(op)
  if op.position then want(ownHash, positionField(op.position)) end
  for _, topic in ipairs(op.topics or {}) do want(ownHash, 'h:' .. topic) end
  if op.type == 'send' then
    wantMessage(op.message)
  elseif op.workflowId then
    want(hashOf(op.workflowId, 'workflow'), 'row', unpack(op.key and { 'e:' .. op.key } or { 'output', 'error' }))
  elseif op.key then
    want(ownHash, (op.type == 'setEvent' and 'e:' or 't:') .. op.key)
  end
end`,
  // The awaited thing, as in the members of 'waiting'. See waiters.ts.
  String.raw`local function awaited(op) return op.key and 'e' .. op.key or op.together and 't' or 'r' end

local function resultOf(row)
  if row.status == 'CANCELLED' then return { tag = 'cancelled' } end
  local isSuccess = row.status == 'SUCCESS'
  local text = read(hashOf(row.id, 'workflow'), isSuccess and 'output' or 'error')
  return { tag = isSuccess and 'value' or 'error', text = text or nil }
end

local perform = {}

function perform.record(op)
  local outcome = op.outcome
  return { tag = outcome.tag, text = outcome.value and ARGV[outcome.value], topic = outcome.topic, isGiven = true }
end

function perform.send(op) return send(op.message) end

function perform.setEvent(op)
  local event = eventOf(own, op.key) or { version = 0, at = now }
  local times = digits(event.version + 1) .. ':' .. digits(event.at) .. ':' .. digits(now)
  put(ownHash, 'e:' .. op.key, times .. ':' .. ARGV[op.value])
  signal(own, awaited(op))
  changed('event:' .. own)
  return { tag = 'done' }
end

function perform.writeStream(op)
  local tail, isClosed = streamOf(own, op.key)
  if isClosed then return { tag = 'stream_closed' } end
  local isValue = op.type == 'writeStream'
  if isValue then put(hashOf(own, 'streams'), placeField(tail, op.key), ARGV[op.value]) end
  put(ownHash, 't:' .. op.key, (isValue and digits(tail + 1) or digits(tail) .. 'c') .. ':' .. digits(now))
  changed('stream:' .. own)
  return { tag = 'done' }
end
perform.closeStream = perform.writeStream

function perform.start(op, row)
  local id, name = op.workflow.workflowId, op.workflow.name
  local existing = load(id)
  if existing and existing.name ~= name then return { tag = 'workflow_conflict' } end
  if not existing then
    -- No other start has this origin: a commit takes effect once, and an owner is never used again.
    local origin = request.owner .. ' ' .. digits(request.number) .. ' ' .. digits(op.position)
    local child = insert(id, name, 'PENDING', origin, ARGV[op.workflow.input])
    if not row.children then becomeParent(row) end
    row.children, child.parent = (row.children or 0) + 1, familyOf(row)
    makeDue(memberOf(child))
    wokenUp(id)
  end
  return { tag = 'done', text = id }
end`,
  // Each looks for the outcome of a wait. Things that came later than 'latest' do not count.
  String.raw`local look = {}
function look.receive(op, latest) return takeOldest(op.topics, latest) end`,
  // For an event if the operation has a key, for a result otherwise.
  String.raw`function look.observeEvent(op, latest)
  local row = load(op.workflowId)
  if not row then return op.started and { tag = 'workflow_not_found' } or nil end
  local event = op.key and eventOf(op.workflowId, op.key)
  if event then return (not latest or event.at <= latest) and { tag = 'value', text = event.text } or nil end
  if not isEnded(row) or (latest and row.endedAt > latest) then return nil end
  return op.key and { tag = 'workflow_ended', text = row.status } or resultOf(row)
end
look.observeResult = look.observeEvent
function look.sleep() return nil end

local hasOutcome = false`,
  // Whether the commit adds complete or open entries.
  String.raw`local isAdvanced = false`,
  // Counts the bytes of the entry's text if there is one. A repeat answers with that text, so it defers
  // the same waits.
  String.raw`local function shown(outcome, entry)
  hasOutcome = true
  answered = answered + (entry and wireSize(entry.text) or 0)
  if outcome.isGiven then return { given = true } end
  local text = outcome.text and value(outcome.text, entry and 0)
  return { outcome = { tag = outcome.tag, value = text, topic = outcome.topic } }
end

local function recordedText(entry)
  entry.text = entry.text or read(ownHash, digits(entry.seq))
  return entry.text
end

local function recorded(entry)
  hasOutcome = true
  return { entry = value(recordedText(entry)) }
end

local function remaining(entry) return { remainingMs = msUntil(entry.deadline) } end

local function wait(row, op, entry)
  local isFirst = not entry.isOpen
  if isFirst then entry.deadline = op.timeoutMs and after(op.timeoutMs) or op['until'] and math.min(op['until'], LATEST) end
  local isOver = entry.deadline and entry.deadline <= now
  local outcome = look[op.type](op, isOver and not isFirst and entry.deadline or nil)
  if not outcome and isOver then outcome = { tag = op.type == 'sleep' and 'done' or 'timeout' } end
  isAdvanced = isAdvanced or isFirst or outcome ~= nil
  if outcome then
    complete(row, op, entry, outcome)
    if op.type == 'observeResult' and outcome.tag ~= 'timeout' then hasRead(row, load(op.workflowId)) end
    return shown(outcome, entry)
  end
  if isFirst then open(row, op, entry) end
  return remaining(entry)
end`,
  // The time between two tries of a step. A pause never has an outcome, but a pause that is over
  // keeps the run from being suspended.
  String.raw`local function pause(row, op, entry)
  if not entry.isOpen or op.attempts > entry.attempts then
    entry.deadline, entry.attempts = after(op.timeoutMs), op.attempts
    open(row, op, entry)
    isAdvanced = true
  end
  hasOutcome = hasOutcome or entry.deadline <= now
  return remaining(entry)
end`,
  // When an answer has more bytes than this, it defers all later waits.
  String.raw`local MAX_ANSWER_BYTES = 1048576
local isDeferred = false

local function isWait(op) return look[op.type] or op.type == 'pause' end
local function defers(op)
  isDeferred = isDeferred or (isWait(op) and answered > MAX_ANSWER_BYTES)
  return isWait(op) and isDeferred
end

local function apply(row, op)
  local entry = op.position and entryAt(op.position)
  if defers(op) then return { deferred = true } end
  if entry and entry.seq then return recorded(entry) end
  if op.type == 'pause' then return pause(row, op, entry) end
  if isWait(op) then return wait(row, op, entry) end
  local outcome = perform[op.type](op, row)
  if entry then
    complete(row, op, entry, outcome)
    isAdvanced = true
  end
  return shown(outcome, entry)
end`,
  // For a repeat: the outcome of an operation without an entry. If the destination does not know the
  // message, it was refused.
  String.raw`local function unrecorded(op)
  if op.type == 'send' then return judge(op.message) or { tag = 'workflow_not_found' } end
  local isClosed = op.type == 'writeStream' and select(2, streamOf(own, op.key))
  return { tag = isClosed and 'stream_closed' or 'done' }
end`,
  // For a repeat: reports workflows that the first call made due and that nobody has claimed since.
  String.raw`local function stillDue(op)
  if op.type == 'setEvent' then
    signalled(own, awaited(op))
  elseif op.type == 'send' then
    delivered(op.message)
  elseif op.type == 'start' then
    local child = load(op.workflow.workflowId)
    if child and child.epoch == 0 and isDueAt(dueScore(memberOf(child))) then wokenUp(child.id) end
  end
end`,
  // The answer to an operation of a repeat. It writes nothing, and open waits do not look again.
  String.raw`local function answerAgain(op)
  stillDue(op)
  local entry = op.position and entryAt(op.position)
  if defers(op) then return { deferred = true } end
  if not entry then return shown(unrecorded(op)) end
  if entry.seq then return recorded(entry) end
  if entry.isOpen then return remaining(entry) end
  -- A wait that the first call did not open is one that the first call deferred.
  return isWait(op) and { deferred = true } or { unknown = true }
end`,
].join("\n");
