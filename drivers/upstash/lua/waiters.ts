/**
 * Who is suspended for an event or a result: the members of a sorted set beside what they wait for, by text. Each is `WHAT NUL ID NUL NAME`, where `WHAT` is
 * `r` for the result, `t` for the result together with others, and `e` and the key for an event. So an event finds those that wait for it, and an end finds all.
 * Of how many results a workflow waits for together is in one hash for all; a success takes one off, and wakes whoever has none left.
 *
 * The row of a waiter lists where it is, as pairs of a set and a `WHAT`. Waking does not take it out: a workflow that is due already is not woken again. It
 * leaves with the first commit of its next run, or when it is cancelled.
 */
export const waiters = String.raw`
local woken = {}
local isWoken = {}

local function wokenUp(id)
  if not isWoken[id] then
    isWoken[id] = true
    woken[#woken + 1] = id
  end
end

-- Those in a set that wait for one thing, or for anything.
local function eachWaiter(set, what, act)
  local first, last = '-', '+'
  if what then
    first, last = '[' .. what .. '\0', '(' .. what .. '\1'
  end
  for _, text in ipairs(call('ZRANGEBYLEX', set, first, last)) do
    local kind, member = string.match(text, '^(.)[^%z]*%z(.*)$')
    act(member, kind)
  end
end

-- With a success, whoever waits for it together with others is woken by the last of them.
local function signal(set, what, isSuccess)
  eachWaiter(set, what, function(member, kind)
    local isLast = not (isSuccess and kind == 't') or call('HINCRBY', KEYS[request.together], member, '-1') <= 0
    if isLast and wake(member) then
      wokenUp(idOf(member))
    end
  end)
end

-- For a repeat: who is due. Its first call may have made it so, and its answer may have reached no one.
local function signalled(set, what)
  eachWaiter(set, what, function(member)
    if isDueAt(call('ZSCORE', DUE, member)) then
      wokenUp(idOf(member))
    end
  end)
end

-- Looks whether they are declared.
local function planWaits(row)
  local sets = setsOf(row)
  if #sets == 0 then
    return
  end
  local declared = {}
  for _, key in ipairs(KEYS) do
    declared[key] = true
  end
  for _, set in ipairs(sets) do
    missing = missing or not declared[set]
  end
end

local function gather(bySet, set, ...)
  bySet[set] = bySet[set] or {}
  for _, text in ipairs({ ... }) do
    table.insert(bySet[set], text)
  end
end

-- From now on it waits for these, and for nothing else: pairs of a set and what it is waited for there.
local function register(row, waits)
  local isListed, added, removed = {}, {}, {}
  local together, wasTogether = 0, false
  for _, wait in ipairs(waits) do
    if wait[2] == 't' and not isListed[wait[1] .. '\0t'] then
      together = together + 1
    end
    isListed[wait[1] .. '\0' .. wait[2]] = true
    gather(added, wait[1], '0', wait[2] .. '\0' .. row.member)
  end
  for _, wait in ipairs(decoded(row.waits) or {}) do
    wasTogether = wasTogether or wait[2] == 't'
    if not isListed[wait[1] .. '\0' .. wait[2]] then
      gather(removed, wait[1], wait[2] .. '\0' .. row.member)
    end
  end
  for set, members in pairs(added) do
    callWith('ZADD', set, members)
  end
  for set, members in pairs(removed) do
    callWith('ZREM', set, members)
  end
  if together > 0 then
    call('HSET', KEYS[request.together], row.member, digits(together))
  elseif wasTogether then
    call('HDEL', KEYS[request.together], row.member)
  end
  row.waits = #waits > 0 and cjson.encode(waits) or ''
end
`;
