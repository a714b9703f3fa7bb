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
export const controlMain = String.raw`
local row = load(request.workflowId)
if not row then return reply({ state = 'not_found' }) end

local started = {}

-- Notes the workflows that a resumed workflow has started, if it may still ask for results. They may
-- have begun to expire. Only a start records 'done' with a value, which is an ID.
local function noteStarted()
  local fields = {}
  for seq = 1, (row.children or 0) > 0 and row.entries or 0 do fields[seq] = digits(seq) end
  for first = 1, #fields, MAX_ARGUMENTS do
    for _, text in ipairs(call('HMGET', keyOf(row.id, 'workflow'), portion(fields, first, MAX_ARGUMENTS))) do
      local head, id = string.match(text, '^([^\n]*)\n(.*)$')
      if id ~= '' and cjson.decode(head)[3] == 'done' then append(started, id) end
    end
  end
end

local function cancel()
  register(row, {})
  unpark(row)
  finish(row, 'CANCELLED')
  row.updatedAt = now
  save(row)
  changed('inbox:' .. row.id)
  writeAll()
  expireKeys(row)
end

-- Undoes an end, and begins the next epoch, so that commits of earlier runs are refused.
local function resume()
  if row.expires or request.retention then noteStarted() end
  stay(row)
  if row.kept and row.parent then put(FAMILIES, keptPlace(row), false) end
  if row.children then becomeParent(row) end
  reindex(row, 'PENDING')
  row.endedAt, row.byDue, row.kept, row.released = nil, false, false, false
  row.epoch, row.owner, row.attempts, row.lastCommit, row.updatedAt = row.epoch + 1, '', 0, 0, now
  for _, name in ipairs({ 'output', 'error' }) do put(hashOf(row.id, 'workflow'), name, false) end
  save(row)
  makeDue(memberOf(row))
  wokenUp(row.id)
  changed('inbox:' .. row.id)
  changed('status:' .. row.id)
  writeAll()
end

-- Resumes a workflow that has not ended: makes it due at once if it is parked, and shortens a lease
-- that ends too late. A repeat reports the workflow as the first call did, until a run claims it.
local function expedite()
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

local isCancel = request.action == 'cancel'
if not isEnded(row) then
  local act = isCancel and cancel or expedite
  act()
elseif isCancel and row.status == 'CANCELLED' then
  signalled(row.id)
elseif not isCancel and (row.status == 'CANCELLED' or row.status == 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') then
  resume()
else
  return reply({ state = 'ended', status = row.status })
end
return reply({ state = 'done', woken = woken, expiring = unneeded, started = started })
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
export const purgeMain = String.raw`
local purged, kept = 0, 0

-- A child that its parent may still ask for stays, and leaves 'ended', so that later purges do not
-- find it.
for _, place in ipairs(request.places) do
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
return reply({ purged = purged, kept = kept })
`;

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
