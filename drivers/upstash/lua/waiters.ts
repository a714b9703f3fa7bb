/**
 * Workflows that are suspended for an event or a result: the members of one sorted set, ordered by
 * text. A member is `TARGET NUL WHAT NUL ID NUL NAME`. `TARGET` is the ID of the awaited workflow.
 * `WHAT` is `r` for its result, `t` for its result together with others, or `e` and the key of an
 * event. So an event finds its own waiters, and an end finds all of them. The hash `together`
 * counts the results that a workflow waits for together. A success takes one off, and the last one
 * wakes.
 *
 * The row of a waiter lists its waits as `TARGET NUL WHAT`. Waking leaves them in place, because a
 * workflow that is due is not woken again. The first commit of its next run removes them, or a
 * cancel does.
 */
export const waiters = [
  String.raw`local WAITING = shared('waiting')
local woken = {}
local function wokenUp(id) appendNew(woken, id) end`,
  // Calls 'act' for those that wait for one thing of a workflow, or for anything of it.
  String.raw`local function eachWaiter(id, what, act)
  local awaited = what and id .. '\0' .. what or id
  local found = {}
  for _, text in ipairs(call('ZRANGEBYLEX', WAITING.key, '[' .. awaited .. '\0', '(' .. awaited .. '\1')) do
    local kind, member = string.match(text, '^[^%z]*%z(.)[^%z]*%z(.*)$')
    want(DUE, member)
    append(found, { kind = kind, member = member })
  end
  for _, one in ipairs(found) do act(one.member, one.kind) end
end`,
  // Wakes those that wait. With a success, a workflow that waits for several results together is
  // woken by the last.
  String.raw`local function signal(id, what, isSuccess)
  eachWaiter(id, what, function(member, kind)
    local isLast = not (isSuccess and kind == 't') or call('HINCRBY', sharedKey('together'), member, '-1') <= 0
    if isLast and wake(member) then wokenUp(idOf(member)) end
  end)
end`,
  // For a repeat: reports waiters that are due, because the answer of the first call may have been lost.
  String.raw`local function signalled(id, what)
  eachWaiter(id, what, function(member)
    if isDueAt(dueScore(member)) then wokenUp(idOf(member)) end
  end)
end

local function isTogether(wait) return string.match(wait, '%zt$') ~= nil end`,
  // Replaces the waits of a row.
  String.raw`local function register(row, waits)
  local together, wasTogether = 0, false
  for _, wait in ipairs(row.waits or {}) do
    wasTogether = wasTogether or isTogether(wait)
    put(WAITING, wait .. '\0' .. memberOf(row), false)
  end
  for wait in pairs(setOf(waits)) do
    together = together + (isTogether(wait) and 1 or 0)
    put(WAITING, wait .. '\0' .. memberOf(row), '0')
  end
  if together > 0 then
    call('HSET', sharedKey('together'), memberOf(row), digits(together))
  elseif wasTogether then
    call('HDEL', sharedKey('together'), memberOf(row))
  end
  row.waits = #waits > 0 and waits or nil
end`,
].join("\n");
