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
    return reply({ again = true, extents = { extent or { id = workflow.id, waits = decoded(row.waits) } } })
  end
end

local function done()
  publish()
  return reply({ state = 'done', woken = woken })
end

local function cancel()
  setsOf(row)
  local again = checked(request.retention)
  if again then
    return again
  end
  if not row.held then
    takeOff(row.member, call('ZSCORE', DUE, row.member))
  end
  register(row, {})
  finish(row, 'CANCELLED', KEYS[request.waiters])
  call(
    'HSET', row.key, 'status', row.status, 'held', '', 'suspended', '', 'waits', '', 'endedAt', digits(now), 'updatedAt', digits(now), 'expires',
    row.expires and '1' or ''
  )
  if row.expires then
    eachUsed(extent.sent, row.events, function(key)
      call('PEXPIRE', key, digits(request.retention))
    end)
  end
  changed('inbox:' .. row.id)
  return done()
end

-- The next epoch: what the run of this one still has under way is refused.
local function resume()
  local again = checked(row.expires)
  if again then
    return again
  end
  call('ZREM', KEYS[request.ended], endedPlace(row))
  if row.expires then
    call('ZREM', KEYS[request.expiring], endedPlace(row))
    eachUsed(extent.sent, row.events, function(key)
      call('PERSIST', key)
    end)
  end
  reindex(row, 'PENDING')
  call('HDEL', row.key, 'output', 'error', 'endedAt', 'expires', 'byDue')
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

local isCancel = request.action == 'cancel'
if isCancel and not isEnded(row) then
  return cancel()
elseif isCancel and row.status == 'CANCELLED' then
  signalled(KEYS[request.waiters])
  return done()
elseif not isCancel and (row.status == 'CANCELLED' or row.status == 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') then
  return resume()
elseif not isCancel and not isEnded(row) then
  -- A repeat names it as its first did, until somebody has claimed it.
  local score = row.held and digits(row.lease) or call('ZSCORE', DUE, row.member)
  if row.status == 'PENDING' and isDueAt(score) then
    wokenUp(row.id)
  end
  return done()
end
return reply({ state = 'ended', status = row.status })
`;
