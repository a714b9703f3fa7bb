/**
 * The one write of a run. The script checks the fence, applies the operations in memory in order,
 * checks the room that is left, and only then writes and makes the transition.
 */
export const commitMain = [
  String.raw`local operations, transition = request.operations, request.transition
local isRepeated, isReleased = false, false

local function fence(row)
  if not row or row.epoch ~= request.epoch or row.owner ~= request.owner then return 'lost' end
  isRepeated = request.number <= row.lastCommit
  isReleased = isRepeated and row.released and request.number == row.lastCommit
  if isReleased then return nil end
  if row.status == 'CANCELLED' then return 'cancelled' end
  -- If the number skips one, the store has lost commits of this run.
  return (not row.held or request.number > row.lastCommit + 1) and 'lost' or nil
end`,
  // Applies the operations, in memory. Returns the result of each.
  String.raw`local function applyAll(row)
  local results, values = {}, hashOf(own, 'streams')
  for index, op in ipairs(operations) do results[index] = apply(row, op) end
  row.bytes = checkRoom('journal and events', own, ownHash.growth, row.bytes + ownHash.growth)
  row.streamBytes = checkRoom('streams', own, values.growth, row.streamBytes + values.growth)
  checkInboxes()
  return results
end`,
  // Where the workflow waits from now on, as 'register' takes it.
  String.raw`local waits = {}`,
  // The transitions of a workflow that its run has let go of.
  String.raw`local transit = {}
function transit.suspend(row)
  local suspended = { labels = {}, topics = {} }
  table.sort(operations, function(a, b) return a.position < b.position end)
  for _, op in ipairs(operations) do
    local entry = entryAt(op.position)
    append(suspended.labels, entry.label)
    if entry.deadline then suspended.till = math.min(entry.deadline, suspended.till or LATEST) end
    for _, topic in ipairs(op.topics or {}) do append(suspended.topics, topic) end
    if op.workflowId then append(waits, op.workflowId .. '\0' .. awaited(op)) end
  end
  row.suspended = suspended
  putOff(memberOf(row), suspended.till)
end

function transit.park(row)
  putOff(memberOf(row), after(transition.delayMs))
  row.parks = row.parks + 1
  if not row.parked then addToIndex(PARKED, indexPlace(row)) end
  row.parked = true
end

function transit.yield(row) makeDue(memberOf(row)) end
transit['end'] = function(row)
  local position = transition.failedPosition
  local entry = position and entryAt(position)
  if entry and entry.seq then
    local head = cjson.decode(string.match(recordedText(entry), '^[^\n]*'))
    row.failed = { position = position, label = head[2] }
  end
  finish(row, transition.status)
end`,
  // Empties the journal. What stays is counted again.
  String.raw`function transit.continueAsNew(row)
  noteLeft(row, startedBy(row))
  local names = call('HKEYS', ownHash.key)
  row.bytes = 0
  for first = 1, #names, MAX_ARGUMENTS do want(ownHash, portion(names, first, MAX_ARGUMENTS)) end
  for _, name in ipairs(names) do
    if string.match(name, '^p?:?%d+$') then
      put(ownHash, name, false)
    elseif name ~= 'row' and name ~= 'input' then
      row.bytes = row.bytes + #name + #(read(ownHash, name) or '')
    end
  end
  put(ownHash, 'input', ARGV[transition.input])
  row.bytes = row.bytes + #ARGV[transition.input] + 5
  row.entries, row.open, row.generation, row.attempts = 0, {}, row.generation + 1, 0
  makeDue(memberOf(row))
end

local function release(row)
  letGo(row)
  if row.byDue then call('SREM', keyOf(request.owner, 'claim'), row.id) end
  row.byDue = false
  if transition.to ~= 'park' then unpark(row) end
  transit[transition.to](row)
end

local function write(row)
  if isAdvanced then
    row.attempts = 0
    unpark(row)
  end
  isReleased = transition ~= nil and not isDeferred and not (transition.to == 'suspend' and hasOutcome)
  if isReleased then release(row) else hold(row, request.leaseMs) end
  register(row, waits)
  row.lastCommit, row.released, row.updatedAt = request.number, isReleased, now
  for _, name in ipairs(isReleased and { 'output', 'error', 'problem' } or {}) do
    if transition[name] then put(ownHash, name, ARGV[transition[name]]) end
  end
  save(row)
  writeAll()
  if row.endedAt then expireKeys(row) end
end

for _, op in ipairs(operations) do wantFields(op) end
if transition and transition.failedPosition then want(ownHash, positionField(transition.failedPosition)) end
local row = load(own)
local refusal = fence(row)
if refusal then return reply({ state = refusal }) end
for _, op in ipairs(operations) do wantQueues(op.topics) end
local results = {}
if isRepeated then
  for index, op in ipairs(operations) do results[index] = answerAgain(op) end
  if isReleased and transition and transition.to == 'end' then signalled(row.id) end
else
  results = applyAll(row)
  if overflow then return reply({ tooLarge = overflow }) end
  write(row)
end
return reply({
  state = isReleased and 'released' or 'held', results = results, woken = woken, now = now, expiring = unneeded,
})`,
].join("\n");
