/** Cancelling and resuming. */
export const controlMain = String.raw`
local workflow = request.workflows[1]
local row = load(workflow)
if not row then
  return reply({ state = 'not_found' })
end

local extent

local function checked(whole)
  if whole then
    extent = extentOf(workflow, row)
    missing = missing or not request.covers or not isCovered(extent, request.covers)
  end
  if missing then
    return reply({ again = true, extents = { extent or { id = workflow.id, waits = setsOf(row), parent = parentOf(row) } } })
  end
end

local function done()
  publish()
  return reply({ state = 'done', woken = woken, expiring = unneeded })
end

local function cancel()
  planWaits(row)
  missing = missing or (request.retention and not isParentDeclared(row))
  local again = checked(request.retention)
  if again then
    return again
  end
  if not row.held then
    takeOff(row.member, call('ZSCORE', DUE, row.member))
  end
  register(row, {})
  unpark(row)
  finish(row, 'CANCELLED', KEYS[request.waiters])
  call(
    'HSET', row.key, 'status', row.status, 'held', '', 'suspended', '', 'waits', '', 'endedAt', digits(now), 'updatedAt', digits(now), 'expires',
    row.expires and '1' or '', 'parked', '', 'parks', '0', 'kept', row.kept and '1' or '', 'keeps', ''
  )
  if row.expires then
    eachUsed(request.whole, extent.sent, row.events, function(key)
      call('PEXPIRE', key, digits(request.retention))
    end)
  end
  changed('inbox:' .. row.id)
  return done()
end

-- The next epoch: what the run of this one still has under way is refused.
local function resume()
  missing = row.kept and not isParentDeclared(row)
  local again = checked(row.expires)
  if again then
    return again
  end
  call('ZREM', KEYS[request.ended], endedPlace(row))
  if row.kept then
    call('ZREM', KEYS[request.expiring], '+' .. endedPlace(row))
    if row.parent ~= '' then
      call('ZREM', KEYS[partOf(parentOf(row)).kept], endedPlace(row))
    end
  end
  if row.expires then
    call('ZREM', KEYS[request.expiring], endedPlace(row))
    eachUsed(request.whole, extent.sent, row.events, function(key)
      call('PERSIST', key)
    end)
  end
  reindex(row, 'PENDING')
  call('HDEL', row.key, 'output', 'error', 'endedAt', 'expires', 'byDue', 'kept')
  call(
    'HSET', row.key, 'status', 'PENDING', 'epoch', digits(row.epoch + 1), 'owner', '', 'attempts', '0', 'lastCommit', '0', 'released', '',
    'updatedAt', digits(now)
  )
  makeDue(row.member)
  wokenUp(row.id)
  changed('inbox:' .. row.id)
  changed('outbox:' .. row.id)
  return done()
end

-- Of what has not ended: makes it due at once if it is parked, and ends no lease too late. A repeat names it as its first did, until somebody has claimed it.
local function expedite()
  local score = call('ZSCORE', DUE, row.member)
  if isHeldTooLong(row) then
    holdAnew(row)
    score = nil
  elseif row.parked and not row.held then
    call('HSET', row.key, 'parks', '0')
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
  signalled(KEYS[request.waiters])
  return done()
elseif not isCancel and (row.status == 'CANCELLED' or row.status == 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') then
  return resume()
elseif not isCancel and not isEnded(row) then
  return expedite()
end
return reply({ state = 'ended', status = row.status })
`;
