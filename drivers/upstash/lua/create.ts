/** Creating a workflow. */
export const createMain = String.raw`
local workflow = request.workflows[1]
local row = load(workflow)
if workflow.isPurging then
  return reply({ again = true, purging = { workflow.id } })
end
if row then
  local isRepeat = row.owner == request.owner and row.epoch == (request.leaseMs and 1 or 0)
  return reply({ created = isRepeat, name = row.name, epoch = row.epoch, createdAt = row.createdAt, now = now })
end
row = insert(workflow, request.leaseMs and 'PENDING' or 'ENQUEUED', {
  name = request.name, input = ARGV[request.input], owner = request.owner, leaseMs = request.leaseMs, origin = request.owner,
})
if row.held then
  call('ZADD', LEASED, digits(row.lease), row.member)
else
  makeDue(row.member)
end
publish()
return reply({ created = true, name = row.name, epoch = row.epoch, createdAt = now, now = now })
`;

/** Sending from outside: all messages are judged, and every key is looked for, before the first is delivered. */
export const sendMain = String.raw`
for _, workflow in ipairs(request.workflows) do
  for _, queue in ipairs(workflow.queues) do
    queue.sends, queue.receives = 0, 0
  end
  load(workflow)
  openInbox(workflow)
end

-- Two messages of one call may carry the same key: the later one is judged as if the earlier one had been sent.
local earlier = {}
local receipts = {}
local fresh = {}
for index, message in ipairs(request.messages) do
  local id = message.sent .. ':' .. message.dedupeKey
  local verdict = judge(message, earlier[id])
  if not verdict then
    verdict = { tag = 'sent', small = message.messageId }
    earlier[id] = { messageId = message.messageId, topic = topicOf(message) }
    table.insert(fresh, message)
    local queue = request.workflows[message.to].queues[message.queue]
    queue.sends = queue.sends + 1
  elseif verdict.tag == 'sent' then
    delivered(message)
  elseif verdict.tag ~= 'duplicate' then
    return reply({ state = 'refused', index = index - 1, reason = verdict.tag, status = verdict.small })
  end
  receipts[index] = { verdict.small, verdict.tag == 'duplicate' }
end

local extents = {}
for _, workflow in ipairs(request.workflows) do
  local extent = { id = workflow.id, queues = {} }
  for index, queue in ipairs(workflow.queues) do
    planQueue(queue)
    extent.queues[index] = { queue.topic, queue.head, queue.into }
  end
  table.insert(extents, extent)
end
if missing then
  return reply({ again = true, extents = extents })
end

for _, message in ipairs(fresh) do
  deliver(message)
end
for _, workflow in ipairs(request.workflows) do
  closeInbox(workflow)
end
publish()
return reply({ state = 'sent', receipts = receipts, woken = woken })
`;
