/** When workflows are due. */
export const schedule = String.raw`
-- Scripts that only read do without the clock, because each command is billed.
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function after(ms)
  return math.min(now + math.ceil(ms), LATEST)
end

local DUE, LEASED, SCHEDULE = sharedKey('due'), sharedKey('leased'), sharedKey('schedule')

local function idOf(member)
  return string.match(member, '^[^%z]*')
end

local function nameOf(member)
  return string.sub(member, #idOf(member) + 2)
end

-- A score in 'due' is an instant, or 'inf' for what only an arrival makes due. What is due at once has its
-- instant minus LATEST, which is below 0: it stays due if the clock goes back.
local function instantOf(score)
  local at = tonumber(score)
  return at < 0 and at + LATEST or at
end

-- Those that are due at once come before those of the same name that are due by an instant.
local function schedulePlace(member, score)
  local kind = score < 0 and '!' or '0'
  return nameOf(member) .. '\0' .. kind .. string.format('%014.0f', instantOf(score)) .. '\0' .. idOf(member)
end

-- Without a score, it is due only when something arrives.
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

local function isDueAt(score)
  return score and score ~= 'inf' and tonumber(score) <= now
end

-- 'since': when it became due; now, without it.
local function makeDue(member, since)
  putOn(member, (since or now) - LATEST)
  changed('due')
end

-- Who looks for what is due by itself does so every ten seconds.
local SOON_MS = 10000

local function putOff(member, at)
  putOn(member, at)
  if at and at < now + SOON_MS then
    changed('due')
  end
end

-- Makes due at once what waits for an instant, also where that has passed: the clock may go back.
local function hasten(member, score)
  if not score or tonumber(score) < 0 then
    return false
  end
  takeOff(member, score)
  makeDue(member, math.min(tonumber(score), now))
  return true
end

-- Makes due what is suspended. Workflows that are held, due at once or ended need no waking.
local function wake(member)
  return hasten(member, call('ZSCORE', DUE, member))
end

-- A claim may have moved a lapsed lease to 'due'. Then the workflow leaves 'due' here.
local function hold(row, leaseMs)
  row.held, row.lease, row.leaseMs = true, after(leaseMs), math.ceil(leaseMs)
  local lease = row.lease
  if call('ZADD', LEASED, digits(lease), row.member) == 1 then
    takeOff(row.member, row.score or call('ZSCORE', DUE, row.member))
  end
end

-- Whether a lease ends later than if it began now: then the clock has gone back since.
local function isHeldTooLong(row)
  return row.held and row.lease > after(row.leaseMs)
end

local function holdAnew(row)
  hold(row, row.leaseMs)
  save(row)
end

local function letGo(row)
  if not row.held then
    return
  end
  row.held = false
  if call('ZREM', LEASED, row.member) == 0 then
    takeOff(row.member, call('ZSCORE', DUE, row.member))
  end
end
`;
