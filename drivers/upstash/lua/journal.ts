/** An open entry as it is stored: its deadline if it has one, how many tries of its step have failed, its label. */
export const parseOpen = String.raw`
local function parseOpen(text)
  local deadline, attempts, label = string.match(text, '^(%d*):(%d+):(.*)$')
  return tonumber(deadline), tonumber(attempts), label
end
`;

/** Complete and open entries. The journal is a hash: `SEQ` -> an entry, `pPOSITION` -> its `SEQ`. */
export const journal = String.raw`
-- By position: what is recorded, or open, or about to be written.
local entries = {}

-- Reads what one hash has for some positions.
local function readEntries(key, positions, prefix, read)
  local fields = {}
  for index, position in ipairs(positions) do
    fields[index] = prefix .. digits(position)
  end
  readFields(key, fields, function(index, text)
    if text then
      read(entries[positions[index]], text)
    end
  end)
end

-- Looks up the positions of the request.
local function findEntries()
  local positions, unknown = {}, {}
  for _, op in ipairs(request.operations) do
    if op.position and not entries[op.position] then
      entries[op.position] = { position = op.position }
      append(positions, op.position)
    end
  end
  readEntries(keyOf(own, 'journal'), positions, 'p', function(entry, text)
    entry.seq = tonumber(text)
  end)
  for _, position in ipairs(positions) do
    if not entries[position].seq then
      append(unknown, position)
    end
  end
  readEntries(keyOf(own, 'open'), unknown, '', function(entry, text)
    entry.isOpen, entry.deadline, entry.attempts, entry.label = true, parseOpen(text)
  end)
end

-- The text of a complete entry: JSON, a line feed, and the value.
local function entryText(position, label, outcome)
  local head = { position, label, outcome.tag, outcome.text and 1 or 0, outcome.topic }
  return cjson.encode(head) .. '\n' .. (outcome.text or '')
end

local function recordedText(entry)
  entry.text = entry.text or call('HGET', keyOf(own, 'journal'), digits(entry.seq))
  return entry.text
end

-- Gathered, so that a hundred entries are a few calls.
local completed = {}
local closed = {}
local opened = {}

local function complete(row, op, entry, outcome)
  row.entries = row.entries + 1
  entry.seq = row.entries
  entry.text = entryText(op.position, entry.label or op.label, outcome)
  local seq, position = digits(entry.seq), 'p' .. digits(op.position)
  append(completed, seq, entry.text, position, seq)
  row.journalBytes = row.journalBytes + 2 * #seq + #entry.text + #position
  if entry.isOpen then
    append(closed, digits(op.position))
  end
  row.isAdvanced = true
end

local function open(row, op, entry)
  entry.isOpen, entry.label = true, entry.label or op.label
  local deadline = entry.deadline and digits(entry.deadline) or ''
  append(opened, digits(op.position), deadline .. ':' .. digits(entry.attempts or 0) .. ':' .. entry.label)
  row.isAdvanced = true
end

local function writeEntries()
  callWith('HSET', keyOf(own, 'journal'), completed)
  callWith('HSET', keyOf(own, 'open'), opened)
  callWith('HDEL', keyOf(own, 'open'), closed)
end
`;

/** Reading journals and streams in pages. */
export const pages = String.raw`
-- Reads the fields from a place on until there are 'limit' values, or more than 'budget' bytes in the answer,
-- but at least 'least' values. Each read is as long as may fit by the size of the values before, so that
-- little is read in vain. Returns where the values are in the answer, and how many.
local FIRST_RUN = 4

local function page(key, fieldAt, from, limit, budget, least)
  local first, count, bytes = #answer, 0, 0
  local run = FIRST_RUN
  while count < limit do
    local fields = {}
    for place = from + count, from + count + math.min(run, limit - count, PORTION) - 1 do
      append(fields, fieldAt(place))
    end
    for _, text in ipairs(call('HMGET', key, unpack(fields))) do
      local size = text and wireSize(text)
      bytes = bytes + (size or 0)
      if not text or (count >= least and bytes > budget) then
        return { at = first, count = count }
      end
      value(text, size)
      count = count + 1
    end
    run = math.max(1, math.floor((budget - bytes) / (bytes / count + 1)))
  end
  return { at = first, count = count }
end

local function journalPage(row, after, limit, budget, least)
  local function fieldAt(place)
    return digits(place + 1)
  end
  local key = keyOf(row.workflow, 'journal')
  local read = page(key, fieldAt, after, math.min(limit, row.entries - after), budget, least)
  read.after = after
  read.more = after + read.count < row.entries
  return read
end
`;
