/**
 * The one write of a run. The script checks the fence, applies the operations in memory in order,
 * checks the room that is left, and only then writes and makes the transition.
 */
export const committing = String.raw`
local operations = request.operations
local transition = request.transition
local isRepeated, isReleased = false, false

local function fence(row)
  if not row or row.epoch ~= request.epoch or row.owner ~= request.owner then
    return 'lost'
  end
  isRepeated = request.number <= row.lastCommit
  isReleased = isRepeated and row.released and request.number == row.lastCommit
  if isReleased then
    return nil
  elseif row.status == 'CANCELLED' then
    return 'cancelled'
  end
  -- If the number skips one, the store has lost commits of this run.
  return (not row.held or request.number > row.lastCommit + 1) and 'lost' or nil
end

local function checkCollections(row, journalBytes, eventBytes, streamBytes)
  checkRoom('journal', own, journalBytes, row.journalBytes)
  checkRoom('events', own, eventBytes, row.eventBytes)
  checkRoom('streams', own, streamBytes, row.streamBytes)
  checkInboxes()
end

-- Applies the operations. Returns the result of each.
local function applyAll(row)
  local before = { row.journalBytes, row.eventBytes, row.streamBytes }
  local results = {}
  for index, op in ipairs(operations) do
    results[index] = apply(row, op)
  end
  checkCollections(row, unpack(before))
  return results
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
    for _, topic in ipairs(op.topics or {}) do
      append(suspended.topics, topic)
    end
    if op.workflowId then
      append(places, op.workflowId .. '\0' .. awaited(op))
    end
  end
  table.sort(waits, function(a, b)
    return a[1] < b[1]
  end)
  for index, wait in ipairs(waits) do
    suspended.labels[index] = wait[2]
  end
  row.suspended = suspended
  letGo(row)
  putOff(memberOf(row), suspended.till)
  return places
end

local function park(row)
  letGo(row)
  putOff(memberOf(row), after(transition.delayMs))
  row.parks = row.parks + 1
  if not row.parked then
    addToIndex(PARKED, indexPlace(row))
    row.parked = true
  end
end

-- Makes the transition. Returns the waits of the workflow from now on.
local function release(row)
  if row.byDue then
    call('SREM', keyOf(request.owner, 'claim'), row.id)
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
    makeDue(memberOf(row))
  else
    finish(row, transition.status)
  end
  return {}
end

-- The values of a transition, as fields of the row's hash.
local function transitionFields()
  local fields = {}
  for _, name in ipairs({ 'output', 'error', 'problem' }) do
    if transition[name] then
      append(fields, name, ARGV[transition[name]])
    end
  end
  return fields
end

local function write(row)
  for _, effect in ipairs(effects) do
    effect()
  end
  if isAdvanced then
    row.attempts = 0
    unpark(row)
  end
  isReleased = transition ~= nil and not isDeferred and not (transition.to == 'suspend' and hasOutcome)
  local waits = {}
  if isReleased then
    waits = release(row)
  else
    hold(row, request.leaseMs)
  end
  register(row, waits)
  writeStreams()
  writeEvents()
  row.lastCommit, row.released, row.updatedAt = request.number, isReleased, now
  save(row, unpack(isReleased and transitionFields() or {}))
  writeEntries()
  writeInboxes()
  if row.expires then
    expireKeys(row)
  end
  publish()
end

-- Answers a repeat of a commit.
local function repeatAll(row)
  local results = {}
  for index, op in ipairs(operations) do
    results[index] = answerAgain(op)
  end
  if isReleased and transition and transition.to == 'end' then
    signalled(row.id)
  end
  return results
end
`;

/** The steps of a commit. */
export const commitMain = String.raw`
local row = load(own)
local refusal = fence(row)
if refusal then
  return reply({ state = refusal })
end
findEntries()
openStreams()
openInboxes(nameQueues())
local results
if isRepeated then
  results = repeatAll(row)
else
  openEvents()
  results = applyAll(row)
  if overflow then
    return reply({ tooLarge = overflow })
  end
  write(row)
end
return reply({
  state = isReleased and 'released' or 'held', results = results, woken = woken, now = now, expiring = unneeded,
})
`;
