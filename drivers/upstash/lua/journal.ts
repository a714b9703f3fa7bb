/** Complete and open entries. */
export const entries = String.raw`
local ownHash = hashOf(own, 'workflow')

-- By position: entries that are recorded, open, or about to be written.
local entries = {}

local function positionField(position) return 'p:' .. digits(position) end

local function entryAt(position)
  if not entries[position] then
    local text, entry = read(ownHash, positionField(position)), {}
    entries[position], entry.seq = entry, text and tonumber(text)
    entry.isOpen = text and not entry.seq
    if entry.isOpen then entry.deadline, entry.attempts, entry.label = parseOpen(text) end
  end
  return entries[position]
end

-- A complete entry is JSON, a line feed, and the value.
local function complete(row, op, entry, outcome)
  row.entries = row.entries + 1
  entry.seq = row.entries
  local head = { op.position, entry.label or op.label, outcome.tag, outcome.text and 1 or 0, outcome.topic }
  entry.text = cjson.encode(head) .. '\n' .. (outcome.text or '')
  put(ownHash, digits(entry.seq), entry.text)
  put(ownHash, positionField(op.position), digits(entry.seq))
  for index, position in ipairs(entry.isOpen and row.open or {}) do
    if position == op.position then return table.remove(row.open, index) end
  end
end

local function open(row, op, entry)
  if not entry.isOpen then append(row.open, op.position) end
  entry.isOpen, entry.label = true, entry.label or op.label
  local deadline = entry.deadline and digits(entry.deadline) or ''
  put(ownHash, positionField(op.position), deadline .. ':' .. digits(entry.attempts or 0) .. ':' .. entry.label)
end
`;

/** Reading journals and streams in pages. */
export const paging = String.raw`
-- The bytes and the items that a page of a journal or a stream has at most.
local MAX_PAGE_BYTES, MAX_PAGE_ITEMS = 1048576, 65536
local FIRST_RUN = 4

-- Reads fields, from a place on, until there are 'limit' values or the answer has more than
-- 'budget' bytes of them, but at least 'least' values. The size of the values so far decides how
-- many fields the next command reads, so that few are read and dropped. If the whole collection,
-- of 'total' bytes, is small, the first command reads many.
local function page(key, fieldAt, from, limit, budget, least, total)
  local values, bytes, run = {}, 0, total <= budget and MAX_ARGUMENTS or FIRST_RUN
  while #values < limit do
    local fields, first = {}, from + #values
    for place = first, first + math.min(run, limit - #values, MAX_ARGUMENTS) - 1 do append(fields, fieldAt(place)) end
    for _, text in ipairs(call('HMGET', key, unpack(fields))) do
      local size = text and wireSize(text)
      bytes = bytes + (size or 0)
      if not text or (#values >= least and bytes > budget) then return values end
      append(values, value(text, size))
    end
    run = math.max(1, math.floor((budget - bytes) / (bytes / #values + 1)))
  end
  return values
end

local function journalPage(row, after, limit, budget, least)
  local function fieldAt(place) return digits(place + 1) end
  local most = math.min(limit, row.entries - after)
  local entries = page(keyOf(row.id, 'workflow'), fieldAt, after, most, budget, least, row.bytes)
  return { after = after, entries = entries, more = after + #entries < row.entries }
end
`;
