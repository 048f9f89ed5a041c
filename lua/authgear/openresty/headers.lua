--- The request's headers: what shows a token is found, the caller's X-Authgear-* are taken off, ours are set for the upstream. They are
-- looked through in C (src/core/incoming.c) where nginx has them, with no Lua string or table for each.
-- Must never leave one of the caller's on, however it is spelled.
local base = require "resty.core.base"
local core = require "authgear.core"
local ffi = require "ffi"
require "resty.core.request"
require "resty.core.time"

local C, get_request, ffi_string = ffi.C, base.get_request, ffi.string
local errmsg = base.get_errmsg_ptr()

ffi.cdef [[
typedef struct authgear_incoming {
  int ours, authorizations, at;
  unsigned char hash[16];
} authgear_incoming;
]]

local M = {}

local element = ffi.typeof "ngx_http_lua_ffi_table_elt_t[?]"
local ELEMENT = ffi.sizeof "ngx_http_lua_ffi_table_elt_t"
local room, headers = 64, element(64)
local found = ffi.new "authgear_incoming"
local truncated = ffi.new "int[1]"

local address, key, header_size, found_size = core.incoming_function()
local read_incoming = ffi.cast("void (*)(const void *, int, const unsigned char *, authgear_incoming *)", address)
local key_bytes = ffi.new "unsigned char[16]"
ffi.copy(key_bytes, key, 16)
if header_size ~= ELEMENT or found_size ~= ffi.sizeof "authgear_incoming" then
  error("this version of nginx's Lua module has its headers in another form", 0)
end

--- As ngx.now, which calls another function in its place: LuaJIT does not compile what calls that.
function M.now()
  local now = C.ngx_http_lua_ffi_now()
  return now
end

-- All headers of the request, however many, into `headers` and `found`.
local function read(request)
  local n = C.ngx_http_lua_ffi_req_get_headers_count(request, 0, truncated)
  if n < 0 or truncated[0] ~= 0 then
    error("the request's headers cannot be read here")
  end
  if n > room then
    room = 2 * n
    headers = element(room)
  end
  ffi.fill(headers, n * ELEMENT)
  if n > 0 and C.ngx_http_lua_ffi_req_get_headers(request, headers, n, 1) ~= 0 then
    error("the request's headers cannot be read")
  end
  read_incoming(headers, n, key_bytes, found)
  return n
end

-- Takes off what there is of ours: names first, for taking one off moves the others. False: one is still there, since nginx's Lua
-- module knows no name with characters that stand in no name (those of a header's grammar).
local function take_off(request, n)
  local names = {}
  for i = 0, n - 1 do
    local name = ffi_string(headers[i].key.data, headers[i].key.len)
    if core.is_our_header(name) then
      names[#names + 1] = name
    end
  end
  for _, name in ipairs(names) do
    ngx.req.clear_header(name)
  end
  read(request)
  return found.ours == 0
end

--- Takes the caller's X-Authgear-* headers off, and looks for its Authorization header.
---@return integer|nil authorizations how many it has; nil: a header of the caller's cannot be taken off
---@return string|nil hash of the one, by a key of this worker's
function M.clean()
  local request = get_request()
  local n = read(request)
  if found.ours > 0 and not take_off(request, n) then
    return nil, nil
  end
  if found.authorizations == 0 then
    return 0, nil
  end
  return found.authorizations, ffi_string(found.hash, 16)
end

-- A list in one header, false if that would be empty; what holds the separator would be read as two, and is left out.
local function join(list, separator)
  local parts = {}
  for _, text in ipairs(list) do
    if text ~= "" and not text:find(separator, 1, true) then
      parts[#parts + 1] = text
    end
  end
  return #parts > 0 and table.concat(parts, separator)
end

local NAMES = { "X-Authgear-Session-Valid", "X-Authgear-User-Id", "X-Authgear-User-Anonymous", "X-Authgear-User-Verified",
  "X-Authgear-User-Can-Reauthenticate", "X-Authgear-User-Roles", "X-Authgear-Session-Authenticated-At", "X-Authgear-Session-Amr" }

local function text(value)
  return value ~= nil and tostring(value)
end

--- The headers that tell the upstream of a user, as the resolver has them: their values in the order of NAMES; false: left out.
---@param claims authgear.Claims
---@return (string|false)[]
function M.of(claims)
  return { "true", claims.user_id, text(claims.is_anonymous), text(claims.is_verified), text(claims.can_reauthenticate),
    join(claims.roles, ","), claims.authenticated_at and ("%d"):format(claims.authenticated_at) or false, join(claims.amr, " ") }
end

local function add(request, name, value)
  if value then
    local rc = C.ngx_http_lua_ffi_req_set_header(request, name, #name, value, #value, nil, 0, 0, errmsg)
    if rc ~= 0 and rc ~= base.FFI_DECLINED then
      error("a header for the upstream could not be set")
    end
  end
end

--- Sets them, on a request that was cleaned. Without a loop, which would keep LuaJIT from compiling those who call this.
function M.set(values)
  local request = get_request()
  add(request, NAMES[1], values[1])
  add(request, NAMES[2], values[2])
  add(request, NAMES[3], values[3])
  add(request, NAMES[4], values[4])
  add(request, NAMES[5], values[5])
  add(request, NAMES[6], values[6])
  add(request, NAMES[7], values[7])
  add(request, NAMES[8], values[8])
end

return M
