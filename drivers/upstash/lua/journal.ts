/** What is stored of an open entry: its deadline if it has one, how many tries of its step have failed, its label. */
export const parseOpen = String.raw`
local function parseOpen(text)
  local deadline, attempts, label = string.match(text, '^(%d*):(%d+):(.*)$')
  return tonumber(deadline), tonumber(attempts), label
end
`;

/** Complete and open entries. */
export const journal = String.raw`
-- By position: what is recorded, or open, or about to be written.
local entries = {}

local function entriesByKey()
  local byKey = {}
  for _, op in ipairs(request.operations) do
    if op.position and not entries[op.position] then
      entries[op.position] = { position = op.position }
      local key = KEYS[op.positions]
      byKey[key] = byKey[key] or {}
      table.insert(byKey[key], op.position)
    end
  end
  return byKey
end

local function readEntries(key, positions, read)
  local fields = {}
  for index, position in ipairs(positions) do
    fields[index] = digits(position)
  end
  readFields(key, fields, function(index, text)
    if text then
      read(entries[positions[index]], text)
    end
  end)
end

local function findEntries(own)
  local unknown = {}
  for key, positions in pairs(entriesByKey()) do
    readEntries(key, positions, function(entry, text)
      entry.seq = tonumber(text)
    end)
    for _, position in ipairs(positions) do
      if not entries[position].seq then
        unknown[#unknown + 1] = position
      end
    end
  end
  readEntries(KEYS[own.open], unknown, function(entry, text)
    entry.isOpen, entry.deadline, entry.attempts, entry.label = true, parseOpen(text)
  end)
end

-- The text of a complete entry: JSON, a line feed, and the value.
local function entryText(position, label, outcome)
  local head = { position, label, outcome.tag, outcome.text and 1 or 0, outcome.topic }
  return cjson.encode(head) .. '\n' .. (outcome.text or '')
end

local function recordedText(own, entry)
  if not entry.text then
    local place = entry.seq - 1
    entry.text = call('LINDEX', segment(own.journal, segmentOf(place)), digits(place % SEGMENT_SIZE))
  end
  return entry.text
end

-- What is to be written, gathered so that a hundred entries are a few calls.
local appended = {}
local placed = {}
local closed = {}
local opened = {}

local function complete(row, op, entry, outcome)
  row.entries = row.entries + 1
  entry.seq = row.entries
  entry.text = entryText(op.position, entry.label or op.label, outcome)
  local number = segmentOf(entry.seq - 1)
  appended[number] = appended[number] or {}
  table.insert(appended[number], entry.text)
  placed[op.positions] = placed[op.positions] or {}
  table.insert(placed[op.positions], digits(op.position))
  table.insert(placed[op.positions], digits(entry.seq))
  if entry.isOpen then
    table.insert(closed, digits(op.position))
  end
  row.isAdvanced = true
  row.positions = math.max(row.positions, op.position + 1)
end

local function open(row, op, entry)
  entry.isOpen, entry.label = true, entry.label or op.label
  table.insert(opened, digits(op.position))
  table.insert(opened, (entry.deadline and digits(entry.deadline) or '') .. ':' .. digits(entry.attempts or 0) .. ':' .. entry.label)
  row.isAdvanced = true
end

local function writeEntries(own)
  for number, texts in pairs(appended) do
    callWith('RPUSH', segment(own.journal, number), texts)
  end
  for positions, fields in pairs(placed) do
    callWith('HSET', KEYS[positions], fields)
  end
  callWith('HSET', KEYS[own.open], opened)
  callWith('HDEL', KEYS[own.open], closed)
end
`;

/** Reading lists in pages. */
export const pages = String.raw`
-- Reads what is from a place on until there are 'limit' values, or more than 'budget' bytes as they travel; at least so many as 'least'. As many at a
-- time as may fit by the size of those before, so that what is read and not answered is never much. Answers with where the values are, and how many.
local FIRST_RUN = 4

local function page(range, from, limit, budget, least)
  local first, count, bytes = #answer, 0, 0
  local run = FIRST_RUN
  while count < limit do
    local place = from + count
    local key = segment(range, segmentOf(place))
    local start = place % SEGMENT_SIZE
    local last = math.min(start + math.min(run, limit - count), SEGMENT_SIZE) - 1
    local texts = key and call('LRANGE', key, digits(start), digits(last)) or {}
    for _, text in ipairs(texts) do
      local size = wireSize(text)
      bytes = bytes + size
      if count >= least and bytes > budget then
        return { at = first, count = count }
      end
      value(text, size)
      count = count + 1
    end
    if #texts < last - start + 1 then
      break
    end
    run = math.max(1, math.floor((budget - bytes) / (bytes / count + 1)))
  end
  return { at = first, count = count }
end

local function journalPage(workflow, row, after, limit, budget, least)
  local read = page(workflow.journal, after, math.min(limit, row.entries - after), budget, least)
  read.after = after
  read.more = after + read.count < row.entries
  return read
end
`;
