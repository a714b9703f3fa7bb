/**
 * The request, the store's clock and the answer. `script_calls.ts` describes answers: `value` adds
 * a value and returns what stands for it in the document. `answered` counts the bytes of all values.
 *
 * A number as text has its digits alone. Redis would write 17 digits of it, and Upstash would truncate
 * it. Padded numbers have the order of their texts. Reading the clock is a command that is billed.
 */
const answers = String.raw`
local call = redis.call
local request = cjson.decode(ARGV[1])

-- In epoch milliseconds.
local function time()
  local clock = call('TIME')
  return clock[1] * 1000 + math.floor(clock[2] / 1000)
end

-- The latest instant. cjson writes 14 digits of a number, and instants never need more.
local LATEST = 99999999999999

-- A key that all workflows share, and a key of one workflow. The request declares each of them.
local function sharedKey(name) return request.prefix .. '/' .. name end
local function keyOf(id, kind) return request.prefix .. '/' .. kind .. '/' .. id end

local function digits(number) return string.format('%.0f', number) end
local function padded(number) return string.format('%014.0f', number) end

local answer, answered = { '' }, 0

-- The bytes of a text in an answer. JSON escapes quotes, backslashes and control characters.
local function wireSize(text)
  local _, escaped = string.gsub(text, '["\\]', '')
  local _, controls = string.gsub(text, '%c', '')
  return #text + escaped + 5 * controls
end

local function value(text, size)
  if not text then return cjson.null end
  answered = answered + (size or wireSize(text))
  answer[#answer + 1] = '=' .. text
  return { at = #answer - 1 }
end

local function reply(document)
  answer[1] = '=' .. cjson.encode(document)
  return answer
end

-- Appends the items that are not nil.
local function append(list, ...)
  for index = 1, select('#', ...) do list[#list + 1] = (select(index, ...)) end
end

-- Appends an item, but not a second time. Returns whether it was new.
local given = {}
local function appendNew(list, item)
  given[list] = given[list] or {}
  if given[list][item] then return false end
  given[list][item] = true
  append(list, item)
  return true
end

local function setOf(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

-- Whether a text comes before another one in the order of their bytes, which is the order of Redis.
-- Lua compares texts by the locale of the server.
local function isBefore(one, other)
  for at = 1, math.min(#one, #other) do
    local left, right = string.byte(one, at), string.byte(other, at)
    if left ~= right then return left < right end
  end
  return #one < #other
end

-- About the most bytes of values on a page of a journal, of a stream, or of what a workflow has.
local MAX_PAGE_BYTES = 1048576

local MAX_ARGUMENTS = 1000 -- Lua's stack limits those of one call.
local function portion(list, first, size) return unpack(list, first, math.min(first + size - 1, #list)) end

local function callWith(command, key, list)
  for first = 1, #list, MAX_ARGUMENTS do call(command, key, portion(list, first, MAX_ARGUMENTS)) end
end
`;

/**
 * Hashes and sorted sets. Each command is billed, so what a script may need of a key is read together,
 * and its writes wait until `writeAll`.
 *
 * A hash has texts by field, and a sorted set has scores by member. `known` has them as they will be,
 * and false for those that are absent. `growth` counts bytes. After an `isLasting` write, the key has
 * no expiry.
 */
const collections = String.raw`
local HASH = { read = 'HMGET', write = 'HSET', remove = 'HDEL' }
local SORTED = { read = 'ZMSCORE', write = 'ZADD', remove = 'ZREM' }
local collections = {}

local function collectionAt(key, commands)
  local collection = { key = key, commands = commands, wanted = {}, known = {}, changed = {}, growth = 0 }
  collections[key] = collections[key] or collection
  return collections[key]
end
local function hashOf(id, kind) return collectionAt(keyOf(id, kind), HASH) end
local function shared(name) return collectionAt(sharedKey(name), SORTED) end

-- Makes the next read of the collection include these.
local function want(collection, ...)
  for _, name in ipairs({ ... }) do
    if collection.known[name] == nil then appendNew(collection.wanted, name) end
  end
end

local function read(collection, name)
  local known = collection.known
  if known[name] == nil then
    want(collection, name)
    local names = collection.wanted
    collection.wanted = {}
    for first = 1, #names, MAX_ARGUMENTS do
      local texts = call(collection.commands.read, collection.key, portion(names, first, MAX_ARGUMENTS))
      for index, text in ipairs(texts) do
        local at = names[first + index - 1]
        if known[at] == nil then known[at] = text end
      end
    end
  end
  return known[name]
end

-- Without a text, removes the field or the member.
local function put(collection, name, text)
  local before = collection.known[name]
  collection.growth = collection.growth + (text and #name + #text or 0) - (before and #name + #before or 0)
  collection.known[name], collection.changed[name] = text or false, true
end

local function writeCollection(collection)
  local written, removed, isHash = {}, {}, collection.commands == HASH
  for name in pairs(collection.changed) do
    local text = collection.known[name]
    if text then append(written, isHash and name or text, isHash and text or name) else append(removed, name) end
  end
  collection.changed = {}
  callWith(collection.commands.write, collection.key, written)
  callWith(collection.commands.remove, collection.key, removed)
  if collection.isLasting then call('PERSIST', collection.key) end
end
`;

/**
 * The rows and the hints that a script writes. It publishes hints without checking for watchers, which
 * saves a command. Readers refuse a long line, so many targets become several hints.
 */
const writes = String.raw`
local MAX_HINT_TARGETS = 50
local targets = {}
local function changed(target) appendNew(targets, target) end

-- By ID: rows to write.
local saved = {}

-- Makes all writes, and tells watchers.
local function writeAll()
  for id, row in pairs(saved) do put(hashOf(id, 'workflow'), 'row', cjson.encode(row)) end
  for _, collection in pairs(collections) do writeCollection(collection) end
  for first = 1, #targets, MAX_HINT_TARGETS do
    call('PUBLISH', request.prefix .. ':hints', cjson.encode({ portion(targets, first, MAX_HINT_TARGETS) }))
  end
end
`;

/** Every script begins with this. */
export const prelude: string = answers + collections + writes;
