/** When workflows are due. */
export const schedule = [
  // A list needs the clock only to take expired workflows out of the indexes.
  String.raw`local now = request.trims == false and not request.retention and not request.due and 0 or time()
local function after(ms) return math.min(now + math.ceil(ms), LATEST) end
local function msUntil(instant) return instant and math.max(0, instant - now) or cjson.null end

local DUE, SCHEDULE = shared('due'), shared('schedule')`,
  // A score in 'due' is an instant, or 'inf' if only an arrival makes the workflow due. A workflow
  // that is due at once has its instant minus LATEST, which is below 0: it stays due if the clock
  // goes back. One that a run holds has the end of its lease plus HELD, which is above all instants.
  String.raw`local HELD = LATEST + 1

local function instantOf(score)
  if score < 0 then return score + LATEST end
  return score >= HELD and score - HELD or score
end

local function dueScore(member)
  local text = read(DUE, member)
  return text and (text == 'inf' and math.huge or tonumber(text))
end
local function isDueAt(score) return score and score <= now end`,
  // Workflows that are due at once come before those of the same name that are due by an instant.
  String.raw`local function schedulePlace(member, score)
  return nameOf(member) .. '\0' .. (score < 0 and '!' or '0') .. padded(instantOf(score)) .. '\0' .. idOf(member)
end
local function isScheduled(score) return score and score <= LATEST end`,
  // Sorts workflows by the instants 'at' which they became due.
  String.raw`local function sortByAge(due)
  table.sort(due, function(a, b) return a.at < b.at or (a.at == b.at and a.order < b.order) end)
end`,
  // Sets or removes the score of a workflow that had the score 'before', or none.
  String.raw`local function setDue(member, score, before)
  if isScheduled(before) then put(SCHEDULE, schedulePlace(member, before), false) end
  put(DUE, member, score and (score == math.huge and 'inf' or digits(score)))
  if isScheduled(score) then put(SCHEDULE, schedulePlace(member, score), '0') end
end`,
  // 'since' is the instant at which it became due. The default is now.
  String.raw`local function makeDue(member, since, before)
  setDue(member, (since or now) - LATEST, before)
  changed('due')
end`,
  // A scheduler looks for due workflows every ten seconds without a hint.
  String.raw`local SOON_MS = 10000
local function putOff(member, at)
  setDue(member, at or math.huge)
  if at and at < now + SOON_MS then changed('due') end
end`,
  // Makes a workflow due at once that waits for an instant or an arrival. The instant may have
  // passed: the clock may go back.
  String.raw`local function wake(member)
  local score = dueScore(member)
  if not score or score < 0 or (score >= HELD and score < math.huge) then return false end
  makeDue(member, math.min(score, now), score)
  return true
end`,
  // The score of a row. After 'listed', a claim may have moved the lapsed lease to those that are due
  // at once.
  String.raw`local function scoreOf(row)
  return row.held and row.listed > now and HELD + row.listed or dueScore(memberOf(row))
end`,
  // Begins or renews a lease. The row has its exact end. 'due' gets the new end only when less than two
  // thirds of the lease are left there, so most commits do not write it. 'before' is the score of the
  // row, false if it has none, and nil if the caller does not know it.
  String.raw`local function hold(row, leaseMs, before)
  row.lease, row.leaseMs = after(leaseMs), math.ceil(leaseMs)
  if row.held and row.listed - now >= leaseMs * 2 / 3 and row.listed <= row.lease then return end
  if before == nil then before = scoreOf(row) end
  row.held, row.listed = true, row.lease
  setDue(memberOf(row), HELD + row.listed, before)
end`,
  // Corrects a lease if the clock has gone back. No lease ends later than one that began now. A lease
  // that a claim has moved too early, because 'due' had an earlier end, is a lease again.
  String.raw`local function correctLease(row, score)
  local lease = math.min(row.lease, after(row.leaseMs))
  if lease == row.lease and not isScheduled(score) then return end
  row.lease, row.listed = lease, lease
  setDue(memberOf(row), HELD + row.listed, score)
  save(row)
end`,
  // Takes a workflow out of 'due'.
  String.raw`local function letGo(row)
  setDue(memberOf(row), false, scoreOf(row))
  row.held = false
end`,
].join("\n");
