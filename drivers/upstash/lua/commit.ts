/**
 * The one write of a run: it looks at the fence and at the room that is left, applies the operations in
 * order, and makes the transition.
 */
export const commit = String.raw`
local operations = request.operations
local transition = request.transition

local function fence(row)
  if not row or row.epoch ~= request.epoch or row.owner ~= request.owner then
    return 'lost'
  end
  own.isRepeated = request.number <= row.lastCommit
  own.isReleased = own.isRepeated and row.released and request.number == row.lastCommit
  if own.isReleased then
    return nil
  elseif row.status == 'CANCELLED' then
    return 'cancelled'
  end
  -- A number that skips one: commits of this run are missing from the store.
  return (not row.held or request.number > row.lastCommit + 1) and 'lost' or nil
end

-- The most bytes that an entry has besides its outcome.
local ENTRY_BYTES = 128

-- By collection of the workflow: the bytes after the commit.
local planned = {}

local function grow(what, bytes)
  planned[what] = planned[what] + bytes
  if bytes > 0 then
    checkRoom(what, own.id, planned[what])
  end
end

-- Each returns how many bytes an operation adds to its entry.
local sizeOf = {}

function sizeOf.record(op)
  return op.value and #ARGV[op.value] or 0
end

function sizeOf.send(op)
  planMessage(op)
  return #op.messageId
end

function sizeOf.setEvent(op)
  local event = events[op.key]
  local bytes = eventSize(op.key, ARGV[op.value])
  grow('events', bytes - event.planned)
  event.planned = bytes
  return 0
end

function sizeOf.writeStream(op)
  grow('streams', #ARGV[op.value] + #op.stream + 16)
  return 0
end

function sizeOf.closeStream(op)
  grow('streams', #op.stream + 18)
  return 0
end

function sizeOf.start(op)
  return #request.workflows[op.workflow].id
end

-- Looks whether there is room for all that the operations write. What waits will find is not known yet: the
-- limit of the answer bounds it, and there is room for that above 'maxBytes'.
local function plan(row)
  planned = { journal = row.journalBytes, events = row.eventBytes, streams = row.streamBytes }
  for _, op in ipairs(operations) do
    local entry = entries[op.position or -1]
    if not (entry and entry.seq) then
      local bytes = sizeOf[op.type] and sizeOf[op.type](op) or 0
      if op.position then
        grow('journal', bytes + #op.label + ENTRY_BYTES)
      end
    end
  end
end

local function suspend(row)
  local suspended = { labels = {}, topics = {} }
  local places, waits = {}, {}
  for _, op in ipairs(operations) do
    local entry = entries[op.position]
    waits[#waits + 1] = { op.position, entry.label }
    if entry.deadline and (not suspended.till or entry.deadline < suspended.till) then
      suspended.till = entry.deadline
    end
    append(suspended.topics, unpack(op.topics or {}))
    if op.workflow then
      append(places, request.workflows[op.workflow].id .. '\0' .. op.what)
    end
  end
  table.sort(waits, function(a, b)
    return a[1] < b[1]
  end)
  for index, wait in ipairs(waits) do
    suspended.labels[index] = wait[2]
  end
  row.suspended = cjson.encode(suspended)
  letGo(row)
  putOff(row.member, suspended.till)
  return places
end

local function park(row)
  letGo(row)
  putOff(row.member, after(transition.delayMs))
  row.parks = row.parks + 1
  if not row.parked then
    addToIndex(PARKED, indexPlace(row))
    row.parked = true
  end
end

-- Returns what the workflow waits for from now on.
local function release(row)
  if row.byDue then
    call('SREM', KEYS[request.claim], row.id)
    row.byDue = false
  end
  if transition.to == 'park' then
    park(row)
    return {}
  end
  unpark(row)
  if transition.to == 'suspend' then
    return suspend(row)
  elseif transition.to == 'yield' then
    letGo(row)
    makeDue(row.member)
  else
    finish(row, transition.status)
  end
  return {}
end

local function valuesOf(names)
  local fields = { 'updatedAt', digits(now) }
  for _, name in ipairs(names) do
    if transition[name] then
      append(fields, name, ARGV[transition[name]])
    end
  end
  return fields
end

local function settle(row)
  if row.isAdvanced then
    row.attempts = 0
    unpark(row)
  end
  row.released = transition ~= nil and not isDeferred and not (transition.to == 'suspend' and hasOutcome)
  local waits = {}
  if row.released then
    waits = release(row)
  else
    hold(row, request.leaseMs)
  end
  register(row, waits)
  writeStreams(row)
  row.lastCommit = request.number
  save(row, unpack(valuesOf(row.released and { 'output', 'error', 'problem' } or {})))
  writeEntries()
  for _, workflow in ipairs(request.workflows) do
    closeInbox(workflow)
  end
  if row.expires then
    expireKeys(row)
  end
  publish()
end
`;

/** What a commit does, in order. */
export const commitMain = String.raw`
local row = load(own)
local refusal = fence(row)
if refusal then
  return reply({ state = refusal })
end
findEntries()
openStreams()
openInboxes()
if not own.isRepeated then
  openEvents()
  plan(row)
end
if overflow then
  return reply({ tooLarge = overflow })
end

local results = {}
for index, op in ipairs(operations) do
  results[index] = own.isRepeated and answerAgain(op) or apply(row, op)
end
if not own.isRepeated then
  settle(row)
elseif own.isReleased and transition and transition.to == 'end' then
  signalled(row.id)
end
local isReleased = own.isReleased or (not own.isRepeated and row.released)
return reply({
  state = isReleased and 'released' or 'held', results = results, woken = woken, now = now, expiring = unneeded,
})
`;
