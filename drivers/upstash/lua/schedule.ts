/** When workflows are due. */
export const schedule = String.raw`
-- Scripts that only read do without the clock, because each command is billed.
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function after(ms)
  return math.min(now + math.ceil(ms), LATEST)
end

local DUE, LEASED, SCHEDULE = sharedKey('due'), sharedKey('leased'), sharedKey('schedule')

-- A score in 'due' is an instant, or 'inf' if only an arrival makes the workflow due. A workflow
-- that is due at once has its instant minus LATEST, which is below 0: it stays due if the clock
-- goes back.
local function instantOf(score)
  local at = tonumber(score)
  return at < 0 and at + LATEST or at
end

-- Workflows that are due at once come before those of the same name that are due by an instant.
local function schedulePlace(member, score)
  local kind = score < 0 and '!' or '0'
  return nameOf(member) .. '\0' .. kind .. string.format('%014.0f', instantOf(score)) .. '\0' .. idOf(member)
end

-- Without a score, the workflow is due only when something arrives.
local function putOn(member, score)
  call('ZADD', DUE, score and digits(score) or '+inf', member)
  if score then
    call('ZADD', SCHEDULE, '0', schedulePlace(member, score))
  end
end

local function takeOff(member, score)
  if not score then
    return
  end
  call('ZREM', DUE, member)
  if score ~= 'inf' then
    call('ZREM', SCHEDULE, schedulePlace(member, tonumber(score)))
  end
end

local function dueScore(row)
  return call('ZSCORE', DUE, memberOf(row))
end

local function isDueAt(score)
  return score and score ~= 'inf' and tonumber(score) <= now
end

-- 'since' is the instant at which it became due. The default is now.
local function makeDue(member, since)
  putOn(member, (since or now) - LATEST)
  changed('due')
end

-- A scheduler looks for due workflows every ten seconds without a hint.
local SOON_MS = 10000

local function putOff(member, at)
  putOn(member, at)
  if at and at < now + SOON_MS then
    changed('due')
  end
end

-- Makes a workflow due at once that waits for an instant. The instant may have passed: the clock
-- may go back.
local function hasten(member, score)
  if not score or tonumber(score) < 0 then
    return false
  end
  takeOff(member, score)
  makeDue(member, math.min(tonumber(score), now))
  return true
end

-- Makes a suspended workflow due. Workflows that are held, due at once or ended need no waking.
local function wake(member)
  return hasten(member, call('ZSCORE', DUE, member))
end

-- A claim may have moved a lapsed lease to 'due'. Then the workflow leaves 'due' here.
local function hold(row, leaseMs, score)
  row.held, row.lease, row.leaseMs = true, after(leaseMs), math.ceil(leaseMs)
  if call('ZADD', LEASED, digits(row.lease), memberOf(row)) == 1 then
    takeOff(memberOf(row), score or dueScore(row))
  end
end

-- Shortens a lease that ends later than if it began now: the clock has gone back since it began.
local function shortenLease(row)
  local isTooLong = row.held and row.lease > after(row.leaseMs)
  if isTooLong then
    hold(row, row.leaseMs)
    save(row)
  end
  return isTooLong
end

local function letGo(row)
  if row.held and call('ZREM', LEASED, memberOf(row)) == 0 then
    takeOff(memberOf(row), dueScore(row))
  end
  row.held = false
end
`;
