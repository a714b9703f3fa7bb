/** Creates a workflow. */
export const createMain = String.raw`
local leaseMs, owner = request.leaseMs, request.owner

local function answerFor(row, isCreated)
  return reply({ created = isCreated, name = row.name, epoch = row.epoch, createdAt = row.createdAt, now = now })
end

local row = load(request.workflowId)
if row then
  return answerFor(row, row.owner == owner and row.epoch == (leaseMs and 1 or 0))
end
row = newRow(request.workflowId, request.name, leaseMs and 'PENDING' or 'ENQUEUED', owner)
row.owner = owner
if leaseMs then
  row.epoch, row.held, row.lease, row.leaseMs = 1, true, after(leaseMs), math.ceil(leaseMs)
  call('ZADD', LEASED, digits(row.lease), memberOf(row))
else
  makeDue(memberOf(row))
end
insert(row, ARGV[request.input])
publish()
return answerFor(row, true)
`;

/** Sends from outside. All messages are judged before the first is written. */
export const sendMain = String.raw`
for _, message in ipairs(request.messages) do
  nameQueue(message.destinationId, message.topic)
end
openInboxes({})
local receipts, fresh = {}, {}
for index, message in ipairs(request.messages) do
  local verdict = judge(message)
  if not verdict then
    deliver(message)
    append(fresh, message)
    verdict = { tag = 'sent', small = message.messageId }
  elseif verdict.tag == 'sent' then
    delivered(message)
  elseif verdict.tag ~= 'duplicate' then
    local status = verdict.small or cjson.null
    return reply({ state = 'refused', index = index - 1, reason = verdict.tag, status = status })
  end
  receipts[index] = { messageId = verdict.small, duplicate = verdict.tag == 'duplicate' }
end
checkInboxes()
if overflow then
  return reply({ tooLarge = overflow })
end
for _, message in ipairs(fresh) do
  wakeReceiver(message)
end
writeInboxes()
publish()
return reply({ state = 'sent', receipts = receipts, woken = woken })
`;

/** Cancels and resumes. */
export const controlMain = String.raw`
local row = load(request.workflowId)
if not row then
  return reply({ state = 'not_found' })
end

local started = {}

local function done()
  publish()
  return reply({ state = 'done', woken = woken, expiring = unneeded, started = started })
end

-- Notes the workflows that a resumed workflow has started, if it may still ask for results. They may
-- have begun to expire. Only a start records 'done' with a value, which is an ID.
local function noteStarted(row)
  if (row.children or 0) == 0 then
    return
  end
  local fields = {}
  for seq = 1, row.entries do
    fields[seq] = digits(seq)
  end
  readFields(keyOf(row.id, 'journal'), fields, function(_, text)
    local head, id = string.match(text, '^([^\n]*)\n(.*)$')
    if id ~= '' and cjson.decode(head)[3] == 'done' then
      append(started, id)
    end
  end)
end

local function cancel()
  if not row.held then
    takeOff(memberOf(row), dueScore(row))
  end
  register(row, {})
  unpark(row)
  finish(row, 'CANCELLED')
  row.updatedAt = now
  save(row)
  if row.expires then
    expireKeys(row)
  end
  changed('inbox:' .. row.id)
  return done()
end

-- Undoes an end in the shared keys.
local function revive()
  if row.expires or request.retention then
    noteStarted(row)
  end
  stay(row)
  if row.kept and row.parent then
    call('ZREM', sharedKey('families'), keptPlace(row))
  end
  if row.children then
    becomeParent(row)
  end
end

-- Begins the next epoch, so that commits of earlier runs are refused.
local function resume()
  revive()
  reindex(row, 'PENDING')
  row.endedAt, row.byDue, row.kept, row.released = nil, false, false, false
  row.epoch, row.owner, row.attempts, row.lastCommit, row.updatedAt = row.epoch + 1, '', 0, 0, now
  call('HDEL', keyOf(row.id, 'workflow'), 'output', 'error')
  save(row)
  makeDue(memberOf(row))
  wokenUp(row.id)
  changed('inbox:' .. row.id)
  changed('outbox:' .. row.id)
  return done()
end

-- Resumes a workflow that has not ended: makes it due at once if it is parked, and shortens a lease
-- that ends too late. A repeat reports the workflow as the first call did, until a run claims it.
local function expedite()
  if request.retention then
    noteStarted(row)
  end
  local score = dueScore(row)
  if shortenLease(row) then
    score = nil
  elseif row.parked and not row.held then
    row.parks = 0
    save(row)
    hasten(memberOf(row), score)
    score = '0'
  end
  if row.status == 'PENDING' and isDueAt(score or (row.held and digits(row.lease))) then
    wokenUp(row.id)
  end
  return done()
end

local isCancel = request.action == 'cancel'
if isCancel and not isEnded(row) then
  return cancel()
elseif isCancel and row.status == 'CANCELLED' then
  signalled(row.id)
  return done()
elseif not isCancel and (row.status == 'CANCELLED' or row.status == 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') then
  return resume()
elseif not isCancel and not isEnded(row) then
  return expedite()
end
return reply({ state = 'ended', status = row.status })
`;
