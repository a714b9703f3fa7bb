/** Creating a workflow. */
export const createMain = String.raw`
local row = load(own)
if row then
  local isRepeat = row.owner == request.owner and row.epoch == (request.leaseMs and 1 or 0)
  return reply({ created = isRepeat, name = row.name, epoch = row.epoch, createdAt = row.createdAt, now = now })
end
row = insert(own, request.leaseMs and 'PENDING' or 'ENQUEUED', {
  name = request.name, input = ARGV[request.input], owner = request.owner, leaseMs = request.leaseMs,
  origin = request.owner,
})
if row.held then
  call('ZADD', LEASED, digits(row.lease), row.member)
else
  makeDue(row.member)
end
publish()
return reply({ created = true, name = row.name, epoch = row.epoch, createdAt = now, now = now })
`;

/** Sending from outside. All messages are judged before the first is written. */
export const sendMain = String.raw`
openInboxes()
local receipts, fresh = {}, {}
for index, message in ipairs(request.messages) do
  local verdict = judge(message)
  if not verdict then
    planMessage(message)
    deliver(message)
    append(fresh, message)
    verdict = { tag = 'sent', small = message.messageId }
  elseif verdict.tag == 'sent' then
    delivered(message)
  elseif verdict.tag ~= 'duplicate' then
    return reply({ state = 'refused', index = index - 1, reason = verdict.tag, status = verdict.small })
  end
  receipts[index] = { verdict.small, verdict.tag == 'duplicate' }
end
if overflow then
  return reply({ tooLarge = overflow })
end
for _, message in ipairs(fresh) do
  wakeReceiver(message)
end
for _, workflow in ipairs(request.workflows) do
  closeInbox(workflow)
end
publish()
return reply({ state = 'sent', receipts = receipts, woken = woken })
`;

/** Cancelling and resuming. */
export const controlMain = String.raw`
local row = load(own)
if not row then
  return reply({ state = 'not_found' })
end

local function done()
  publish()
  return reply({ state = 'done', woken = woken, expiring = unneeded })
end

local function cancel()
  if not row.held then
    takeOff(row.member, call('ZSCORE', DUE, row.member))
  end
  register(row, {})
  unpark(row)
  finish(row, 'CANCELLED')
  save(row, 'updatedAt', digits(now))
  if row.expires then
    expireKeys(row)
  end
  changed('inbox:' .. row.id)
  return done()
end

-- Undoes an end in the shared keys.
local function revive()
  call('ZREM', sharedKey('ended'), endedPlace(row))
  if row.kept then
    call('ZREM', sharedKey('expiring'), '+' .. endedPlace(row))
    call('ZREM', sharedKey('families'), keptPlace(row))
  end
  if row.expires then
    call('ZREM', sharedKey('expiring'), endedPlace(row))
    for _, key in ipairs(ownKeys(row)) do
      call('PERSIST', key)
    end
  end
  if row.isParent then
    becomeParent(row)
  end
end

-- Begins the next epoch, so that what the run of this one still has under way is refused.
local function resume()
  revive()
  reindex(row, 'PENDING')
  row.endedAt, row.expires, row.byDue, row.kept, row.released = 0, false, false, false, false
  row.epoch, row.owner, row.attempts, row.lastCommit = row.epoch + 1, '', 0, 0
  call('HDEL', row.key, 'output', 'error')
  save(row, 'updatedAt', digits(now))
  makeDue(row.member)
  wokenUp(row.id)
  changed('inbox:' .. row.id)
  changed('outbox:' .. row.id)
  return done()
end

-- Resumes what has not ended: makes it due at once if it is parked, and shortens a lease that ends too late.
-- A repeat reports the workflow as the first call did, until somebody has claimed it.
local function expedite()
  local score = call('ZSCORE', DUE, row.member)
  if isHeldTooLong(row) then
    holdAnew(row)
    score = nil
  elseif row.parked and not row.held then
    row.parks = 0
    save(row)
    hasten(row.member, score)
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
