/** Creates a workflow. */
export const createMain = String.raw`
local leaseMs, owner = request.leaseMs, request.owner
local row = load(request.workflowId)
local isCreated = not row or (row.owner == owner and row.epoch == (leaseMs and 1 or 0))
if not row then
  local status = leaseMs and 'PENDING' or 'ENQUEUED'
  row = insert(request.workflowId, request.name, status, owner, ARGV[request.input])
  row.owner = owner
  if leaseMs then
    row.epoch = 1
    hold(row, leaseMs, false)
  elseif request.due then
    local at = request.due.at and math.min(math.floor(request.due.at), LATEST) or after(request.due.inMs)
    putOff(memberOf(row), at)
  else
    makeDue(memberOf(row))
  end
  writeAll()
end
return reply({ created = isCreated, name = row.name, epoch = row.epoch, createdAt = row.createdAt, now = now })
`;

/** Sends from outside. All messages are judged before the first is written. */
export const sendMain = String.raw`
for _, message in ipairs(request.messages) do wantMessage(message) end
local receipts = {}
for index, message in ipairs(request.messages) do
  local verdict = send(message)
  if verdict.tag ~= 'sent' and verdict.tag ~= 'duplicate' then
    local status = verdict.text or cjson.null
    return reply({ state = 'refused', index = index - 1, reason = verdict.tag, status = status })
  end
  if verdict.tag == 'sent' and not verdict.isFirst then delivered(message) end
  receipts[index] = { messageId = verdict.text, duplicate = verdict.tag == 'duplicate' }
end
checkInboxes()
if overflow then return reply({ tooLarge = overflow }) end
writeAll()
return reply({ state = 'sent', receipts = receipts, woken = woken })
`;

/** Cancels and resumes. */
export const controlMain = [
  String.raw`local row = load(request.workflowId)
if not row then return reply({ state = 'not_found' }) end`,
  // The workflows that a resumed workflow has started. They may have begun to expire.
  String.raw`local started = {}
local function noteStarted() started = startedBy(row) end`,
  // The workflow and those below it that have not ended. Nil if one has started more since the
  // request was made.
  String.raw`local function family()
  local found, families = { not isEnded(row) and row or nil }, { [familyOf(row)] = true }
  for _, known in ipairs(request.family or {}) do
    local one = load(known.id)
    local isOne = one and (one == row or (one.parent and families[one.parent]))
    if isOne and one.entries ~= known.entries then return nil end
    if isOne and one ~= row then
      families[familyOf(one)] = true
      append(found, not isEnded(one) and one or nil)
    end
  end
  return found
end

local function cancel(found)
  local isCancelled = {}
  for _, one in ipairs(found) do
    isCancelled[one.id] = true
    register(one, {})
    unpark(one)
    finish(one, 'CANCELLED')
    one.updatedAt = now
    save(one)
    changed('inbox:' .. one.id)
  end
  writeAll()
  for _, one in ipairs(found) do expireKeys(one) end
  for index = #woken, 1, -1 do
    if isCancelled[woken[index]] then table.remove(woken, index) end
  end
end`,
  // Drops the entries from a position on. The others get new numbers, because numbers have no gaps.
  String.raw`local function rewind(from)
  local hash, before, isAny = hashOf(row.id, 'workflow'), row.entries, false
  local growth, kept, received, left, open = hash.growth, 0, {}, {}, {}
  for _, position in ipairs(row.open) do want(hash, 'p:' .. digits(position)) end
  eachEntry(row, function(head, shown, text, seq)
    local place = 'p:' .. digits(head[1])
    read(hash, place)
    if head[1] < from then
      kept = kept + 1
      if kept ~= seq then
        put(hash, digits(kept), text)
        put(hash, place, digits(kept))
      end
      return
    end
    isAny = true
    put(hash, place, false)
    if head[3] == 'done' and shown ~= '' then append(left, shown) end
    if head[3] == 'message' then
      local number, at, messageId, dedupeKey = unpack(head[10])
      received[head[5]] = received[head[5]] or {}
      local message = { number = number, at = at, messageId = messageId, dedupeKey = dedupeKey, text = shown }
      append(received[head[5]], message)
    end
  end)
  for seq = kept + 1, before do put(hash, digits(seq), false) end
  for _, position in ipairs(row.open) do
    if position < from then append(open, position) else put(hash, 'p:' .. digits(position), false) end
  end
  isAny = isAny or #open < #row.open
  for topic, messages in pairs(received) do restore(row, topic, messages) end
  if (row.children or 0) > 0 then noteLeft(row, left) end
  row.entries, row.open, row.bytes = kept, open, row.bytes + hash.growth - growth
  row.rewinds = row.rewinds + (isAny and 1 or 0)
end`,
  // Undoes an end, and begins the next epoch, so that commits of earlier runs are refused.
  String.raw`local function resume()
  if row.expires or request.retention then noteStarted() end
  local from = request.from and request.from.position or row.failed and row.failed.position
  if from then rewind(from) end
  stay(row)
  if row.kept and row.parent then put(FAMILIES, keptPlace(row), false) end
  if row.children then becomeParent(row) end
  reindex(row, 'PENDING')
  row.endedAt, row.failed, row.byDue, row.kept, row.released = nil, nil, false, false, false
  row.owner = request.from and request.from.token or ''
  row.epoch, row.attempts, row.lastCommit, row.updatedAt = row.epoch + 1, 0, 0, now
  for _, name in ipairs({ 'output', 'error' }) do put(hashOf(row.id, 'workflow'), name, false) end
  save(row)
  makeDue(memberOf(row))
  wokenUp(row.id)
  changed('inbox:' .. row.id)
  changed('status:' .. row.id)
  writeAll()
end`,
  // Resumes a workflow that has not ended: makes it due at once if it is parked, and shortens a lease
  // that ends too late. A repeat reports the workflow as the first call did, until a run claims it.
  String.raw`local function expedite()
  if request.retention then noteStarted() end
  local score = dueScore(memberOf(row))
  if row.held and row.lease > now then
    correctLease(row, score)
  elseif row.parked and not row.held then
    row.parks = 0
    save(row)
    wake(memberOf(row))
  end
  writeAll()
  local isDue = isDueAt(dueScore(memberOf(row))) or (row.held and row.lease <= now)
  if row.status == 'PENDING' and isDue then wokenUp(row.id) end
end

local isCancel, hasEnded = request.action == 'cancel', isEnded(row)
if hasEnded and (row.status == 'SUCCESS' or (isCancel and row.status ~= 'CANCELLED')) then
  return reply({ state = 'ended', status = row.status })
elseif isCancel then
  local found = family()
  if not found then return reply({ state = 'changed' }) end
  if #found > 0 then cancel(found) end
  if hasEnded then signalled(row.id) end
elseif hasEnded then
  resume()
elseif request.from and row.owner ~= request.from.token then
  return reply({ state = 'active', status = row.status })
else
  expedite()
end
return reply({ state = 'done', woken = woken, expiring = unneeded, started = started })`,
].join("\n");

/** Finds what workflows have started, for a cancel with children. Touches no shared key. */
export const familyMain = String.raw`
local found = {}
for _, id in ipairs(request.workflowIds) do
  local row = load(id)
  if row then append(found, { id = id, entries = row.entries, started = startedBy(row) }) end
end
return reply({ found = found })
`;

/** Deletes one workflow that has ended. */
export const deleteMain = String.raw`
local row = load(own)
if not row then return reply({ state = 'not_found' }) end
if not isEnded(row) then return reply({ state = 'active', status = row.status }) end
if row.kept and row.parent then put(FAMILIES, keptPlace(row), false) end
call('UNLINK', unpack(ownKeys(row)))
changed('status:' .. own)
forget(endedPlace(row))
writeAll()
return reply({ state = 'done' })
`;

/** The first half of a purge: finds workflows that it may remove. */
export const purgePeekMain = String.raw`
if request.retention then
  trim(100)
  writeAll()
end
local latest = digits(now - request.olderThanMs)
local places = call('ZRANGEBYSCORE', ENDED.key, '0', latest, 'LIMIT', '0', digits(request.limit))
return reply({ places = places, expiring = unneeded })
`;

/** The second half: removes workflows that have not changed since then, with all of their keys. */
export const purgeMain = [
  String.raw`local purged, kept = 0, 0`,
  // A child that its parent may still ask for stays, and leaves 'ended', so that later purges do not
  // find it.
  String.raw`for _, place in ipairs(request.places) do
  local row = endedAt(place)
  if row and isKeeperAlive(row) then
    put(ENDED, place, false)
    keep(row)
    save(row)
    kept = kept + 1
  else
    if row then
      call('UNLINK', unpack(ownKeys(row)))
      changed('status:' .. row.id)
      purged = purged + 1
    end
    forget(place)
  end
end
writeAll()
return reply({ purged = purged, kept = kept })`,
].join("\n");

/** Follows a resume: keeps the children of the parent again, among workflows that it may have started. */
export const keepMain = String.raw`
for _, id in ipairs(request.workflowIds) do
  local row = load(id)
  if row and isEnded(row) and isKeeperAlive(row) then keepAgain(row) end
end
writeAll()
for _, row in pairs(saved) do expireKeys(row) end
return reply({ done = true })
`;

/**
 * Follows a call that found children that nobody needs any more: sets their expiry, as their ends
 * would have done.
 */
export const expireMain = String.raw`
for _, place in ipairs(request.places) do
  local row = endedAt(place)
  if row and isKeeperAlive(row) then
    keepAgain(row)
  elseif read(ENDED, '+' .. place) then
    put(ENDED, '+' .. place, false)
    if row and not row.expires then
      beginExpiry(row)
      row.kept = false
      save(row)
    end
  end
end
writeAll()
for _, row in pairs(saved) do expireKeys(row) end
return reply({ done = true })
`;
