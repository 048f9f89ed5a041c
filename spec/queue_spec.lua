-- The scheduler's queue.
local queue = require "authgear.queue"

describe("a queue", function()
  it("gives what was put in, the first first, also when it is filled while it is emptied", function()
    local q = queue.new()
    local put, got = 0, {}
    for round = 1, 50 do
      for _ = 1, round % 7 do
        put = put + 1
        queue.push(q, put)
      end
      for _ = 1, round % 5 do
        got[#got + 1] = queue.pop(q)
      end
    end
    while not queue.is_empty(q) do
      got[#got + 1] = queue.pop(q)
    end
    assert.equal(put, #got)
    for i, one in ipairs(got) do
      assert.equal(i, one)
    end
  end)

  it("is empty at first and in the end, and then gives nothing", function()
    local q = queue.new()
    assert.is_true(queue.is_empty(q))
    assert.is_nil(queue.pop(q))
    queue.push(q, "one")
    assert.is_false(queue.is_empty(q))
    assert.equal("one", queue.pop(q))
    assert.is_true(queue.is_empty(q))
    assert.is_nil(queue.pop(q))
  end)

  it("holds nothing that was taken out, and begins again at its beginning when it is empty", function()
    local q = queue.new()
    local gone = setmetatable({}, { __mode = "v" })
    for i = 1, 10 do
      gone[i] = {}
      queue.push(q, gone[i])
    end
    for _ = 1, 10 do
      queue.pop(q)
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(gone))
    assert.same({ head = 1, tail = 0 }, q)
  end)
end)
