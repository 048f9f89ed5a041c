--- The stored record as flows see it: look, load, store, delete, through the runtime's storage, and what access_token()
-- shows brought up to date. Must never decide anything: what is read or written stands in the flow.
local core = require "authgear.core"

local feed, feed_text, feed_error = core.feed, core.feed_text, core.feed_error

local MAX_READS = 8 -- of a record that keeps changing while it is read

local M = {}

-- Hands in the result of a storage's function: done, or nil, code, message, retryable.
function M.feed_done(flow, done, code, message, retryable)
  if done == nil then
    return feed_error(flow, code or "storage", message, retryable)
  end
  return feed(flow, done)
end

-- Brings what access_token() shows up to date: at once when a step has taken over a record, since the
-- flow that did so may yet wait long, or never come to its end.
function M.sync(runtime)
  local client = runtime.client
  local version = core.version(runtime.core)
  if client._runtime == runtime and client._version ~= version then
    client._access_token = core.access_token(runtime.core)
    client._version = version
    runtime.own_headers = nil -- see fetching.lua
  end
end

-- Accesses to the stored record are numbered. One that was begun and whose result was not taken over (its coroutine
-- was thrown away, memory ran out) has changed what the storage believes that we know: the next look must find
-- a change.
local function begin_access(runtime)
  runtime.accesses = runtime.accesses + 1
  return runtime.accesses, core.version(runtime.core)
end

local function end_access(runtime, number, version, ...)
  if core.version(runtime.core) ~= version and number > runtime.adopted then
    runtime.adopted = number
  end
  M.sync(runtime)
  return ...
end

--- Has the stored record changed since it was last taken over? A storage that waits while it looks may have been read
--- by another flow meanwhile: it knows of no change then, and we do not know the record.
---@return boolean|nil changed
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
function M.has_changed(runtime)
  if runtime.adopted < runtime.accesses then
    return true
  end
  local changed, code, message, retryable = runtime.storage:changed()
  if changed == false and runtime.adopted < runtime.accesses then
    return true
  end
  return changed, code, message, retryable
end

function M.look(runtime, flow)
  return M.feed_done(flow, M.has_changed(runtime))
end

function M.load(runtime, flow)
  local number, version = begin_access(runtime)
  local text, code, message, retryable = runtime.storage:get()
  local tries = 1
  while core.version(runtime.core) ~= version and tries < MAX_READS do
    -- another flow has taken over a record meanwhile: ours may be older
    number, version = begin_access(runtime)
    text, code, message, retryable = runtime.storage:get()
    tries = tries + 1
  end
  if text == nil and code ~= nil then
    return feed_error(flow, code, message, retryable)
  end
  return end_access(runtime, number, version, feed_text(flow, text))
end

function M.store(runtime, flow, _, text)
  local number, version = begin_access(runtime)
  return end_access(runtime, number, version, M.feed_done(flow, runtime.storage:set(text)))
end

-- A login under way, which waits beside the record: see docs/storage.md. The host is for storages of ours that have to wait.
function M.keep(runtime, flow, _, name, bytes, seconds)
  return M.feed_done(flow, runtime.logins:keep(name, bytes, seconds, runtime.host))
end

function M.take(runtime, flow, _, name)
  local bytes, code, message, retryable = runtime.logins:take(name, runtime.host)
  if bytes == nil and code ~= nil then
    return feed_error(flow, code, message, retryable)
  end
  return feed_text(flow, bytes)
end

function M.delete(runtime, flow)
  local number, version = begin_access(runtime)
  return end_access(runtime, number, version, M.feed_done(flow, runtime.storage:del()))
end

return M
