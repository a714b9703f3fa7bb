/**
 * An open entry as it is stored: its deadline if it has one, how many tries of its step have
 * failed, its label.
 */
export const parseOpen = String.raw`
local function parseOpen(text)
  local deadline, attempts, label = string.match(text, '^(%d*):(%d+):(.*)$')
  return tonumber(deadline), tonumber(attempts), label
end
`;

/** Complete and open entries. The journal is a hash: `SEQ` -> an entry, `pPOSITION` -> its `SEQ`. */
export const entries = String.raw`
-- By position: entries that are recorded, open, or about to be written.
local entries = {}

-- Reads what one hash has for some positions.
local function readEntries(kind, positions, prefix, read)
  local fields = {}
  for index, position in ipairs(positions) do
    fields[index] = prefix .. digits(position)
  end
  readFields(keyOf(own, kind), fields, function(index, text)
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
  readEntries('journal', positions, 'p', function(entry, text)
    entry.seq = tonumber(text)
  end)
  for _, position in ipairs(positions) do
    if not entries[position].seq then
      append(unknown, position)
    end
  end
  readEntries('open', unknown, '', function(entry, text)
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

-- Collected, so that a hundred entries are a few commands.
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
end

local function open(op, entry)
  entry.isOpen, entry.label = true, entry.label or op.label
  local deadline = entry.deadline and digits(entry.deadline) or ''
  append(opened, digits(op.position), deadline .. ':' .. digits(entry.attempts or 0) .. ':' .. entry.label)
end

local function writeEntries()
  callWith('HSET', keyOf(own, 'journal'), completed)
  callWith('HSET', keyOf(own, 'open'), opened)
  callWith('HDEL', keyOf(own, 'open'), closed)
end
`;

/** Reading journals and streams in pages. */
export const paging = String.raw`
-- Reads fields, from a place on, until there are 'limit' values or the answer has more than
-- 'budget' bytes of them, but at least 'least' values. The size of the values so far decides how
-- many fields the next command reads, so that few are read and dropped.
local FIRST_RUN = 4

local function page(key, fieldAt, from, limit, budget, least)
  local values, bytes, run = {}, 0, FIRST_RUN
  while #values < limit do
    local fields = {}
    for place = from + #values, from + #values + math.min(run, limit - #values, MAX_ARGUMENTS) - 1 do
      append(fields, fieldAt(place))
    end
    for _, text in ipairs(call('HMGET', key, unpack(fields))) do
      local size = text and wireSize(text)
      bytes = bytes + (size or 0)
      if not text or (#values >= least and bytes > budget) then
        return values
      end
      append(values, value(text, size))
    end
    run = math.max(1, math.floor((budget - bytes) / (bytes / #values + 1)))
  end
  return values
end

-- The bytes and the items that a page of a journal or a stream has at most.
local MAX_PAGE_BYTES = 1048576
local MAX_PAGE_ITEMS = 65536

local function journalPage(row, after, limit, budget, least)
  local function fieldAt(place)
    return digits(place + 1)
  end
  local entries = page(keyOf(row.id, 'journal'), fieldAt, after, math.min(limit, row.entries - after), budget, least)
  return { after = after, entries = entries, more = after + #entries < row.entries }
end
`;
