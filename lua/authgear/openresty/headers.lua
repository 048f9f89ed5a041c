--- The request's headers: what shows a token is found, the caller's X-Authgear-* are taken off, ours are set for the upstream. They are
-- looked through in C (src/core/incoming.c) where nginx has them, with no Lua string or table for each.
-- Must never leave one of the caller's on, however it is spelled.
local base = require "resty.core.base"
local core = require "authgear.core"
local ffi = require "ffi"
require "resty.core.request"

local add_header = require("ngx.req").add_header
local C, get_request, ffi_string = ffi.C, base.get_request, ffi.string

ffi.cdef [[
typedef struct authgear_incoming {
  int ours, authorizations, at;
  unsigned char digest[32];
} authgear_incoming;
]]

local M = {}

local element = ffi.typeof "ngx_http_lua_ffi_table_elt_t[?]"
local ELEMENT = ffi.sizeof "ngx_http_lua_ffi_table_elt_t"
local room, headers = 64, element(64)
local found = ffi.new "authgear_incoming"
local truncated = ffi.new "int[1]"

local address, header_size, found_size = core.incoming_function()
local read_incoming = ffi.cast("bool (*)(const void *, int, authgear_incoming *)", address)
if header_size ~= ELEMENT or found_size ~= ffi.sizeof "authgear_incoming" then
  error("this version of nginx's Lua module has its headers in another form", 0)
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
  if not read_incoming(headers, n, found) then
    error("no SHA-256")
  end
  return n
end

-- Takes off what there is of ours: names first, for taking one off moves the others.
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
  if found.ours > 0 then
    error("a header of the caller's could not be taken off")
  end
end

--- Takes the caller's X-Authgear-* headers off, and looks for its Authorization header.
---@return integer authorizations how many it has
---@return string|nil digest the SHA-256 of the one
function M.clean()
  local request = get_request()
  local n = read(request)
  if found.ours > 0 then
    take_off(request, n)
  end
  if found.authorizations == 0 then
    return 0, nil
  end
  return found.authorizations, ffi_string(found.digest, 32)
end

-- A list in one header; what holds the separator would be read as two, and is left out.
local function join(list, separator)
  local parts = {}
  for _, text in ipairs(list) do
    if text ~= "" and not text:find(separator, 1, true) then
      parts[#parts + 1] = text
    end
  end
  return table.concat(parts, separator)
end

local function add(list, name, value)
  if value ~= nil then
    list[#list + 1] = "X-Authgear-" .. name
    list[#list + 1] = tostring(value)
  end
end

--- The headers that tell the upstream of a user, as the resolver has them: names and values in turn.
---@param claims authgear.Claims
---@return string[]
function M.of(claims)
  local list = {}
  add(list, "Session-Valid", "true")
  add(list, "User-Id", claims.user_id)
  add(list, "User-Anonymous", claims.is_anonymous)
  add(list, "User-Verified", claims.is_verified)
  add(list, "User-Can-Reauthenticate", claims.can_reauthenticate)
  local roles = join(claims.roles, ",")
  add(list, "User-Roles", roles ~= "" and roles or nil)
  add(list, "Session-Authenticated-At", claims.authenticated_at and ("%d"):format(claims.authenticated_at))
  add(list, "Session-Amr", join(claims.amr, " "))
  return list
end

--- Sets them, on a request that was cleaned.
function M.set(list)
  for i = 1, #list, 2 do
    add_header(list[i], list[i + 1])
  end
end

return M
