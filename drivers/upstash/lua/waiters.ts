/**
 * Who is suspended for an event or a result: the members of a set beside what they wait for.
 *
 * The row of a waiter lists the sets that it is in. Waking does not take it out of them: a workflow that is due already is not woken again. It
 * leaves them with the first commit of its next run, or when it is cancelled.
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

local function signal(set)
  for _, member in ipairs(call('SMEMBERS', set)) do
    if wake(member) then
      wokenUp(idOf(member))
    end
  end
end

-- For a repeat: who is due. Its first call may have made it so, and its answer may have reached no one.
local function signalled(set)
  for _, member in ipairs(call('SMEMBERS', set)) do
    if isDueAt(call('ZSCORE', DUE, member)) then
      wokenUp(idOf(member))
    end
  end
end

-- The sets that a row lists, as far as they are declared.
local function setsOf(row)
  local sets = decoded(row.waits) or {}
  if #sets == 0 then
    return sets
  end
  local declared = {}
  for _, key in ipairs(KEYS) do
    declared[key] = true
  end
  for _, set in ipairs(sets) do
    missing = missing or not declared[set]
  end
  return sets
end

local function register(row, sets)
  local isListed = {}
  for _, set in ipairs(sets) do
    isListed[set] = true
    call('SADD', set, row.member)
  end
  for _, set in ipairs(decoded(row.waits) or {}) do
    if not isListed[set] then
      call('SREM', set, row.member)
    end
  end
  row.waits = #sets > 0 and cjson.encode(sets) or ''
end
`;
