--- What those get who are not let in: status, WWW-Authenticate (RFC 6750, RFC 9470) and a body that programs can read; for pages
-- a redirect to the log-in, if that was asked for. Must never say what exactly is wrong with a token, nor redirect a program.
local M = {}

---@class authgear.Denial
---@field status integer 400, 401, 403, 500 or 503
---@field error string|nil for the caller (RFC 6750 section 3.1); nil: no token was sent
---@field reason string|nil for the log; docs/verify.md lists the words
---@field max_age integer|nil seconds, with insufficient_user_authentication
---@field scope string|nil that is needed, with insufficient_scope

local STATUS = { invalid_request = 400, invalid_token = 401, insufficient_user_authentication = 401, insufficient_scope = 403,
  temporarily_unavailable = 503, server_error = 500 }

--- What is denied once is denied for all that are like it.
---@param err string|nil one of the errors above
---@param reason string|nil
---@param policy table the options
---@return authgear.Denial
function M.new(err, reason, policy)
  local denial = { status = STATUS[err] or 401, error = err, reason = reason }
  if err == "insufficient_user_authentication" then
    denial.max_age = math.floor(policy.max_auth_age)
  elseif err == "insufficient_scope" and reason == "scope" then
    denial.scope = table.concat(policy.scopes, " ")
  end
  return denial
end

local function challenge(denial, realm)
  local parts = { 'Bearer realm="' .. realm .. '"' }
  if denial.error then
    parts[#parts + 1] = 'error="' .. denial.error .. '"'
  end
  if denial.scope then
    parts[#parts + 1] = 'scope="' .. denial.scope .. '"'
  end
  if denial.max_age then
    parts[#parts + 1] = 'max_age="' .. denial.max_age .. '"'
  end
  return table.concat(parts, ", ")
end

-- Is it a person's browser that goes to a page? What fetches says so itself, or does not ask for a page.
local function is_page(headers)
  local method = ngx.req.get_method()
  if (method ~= "GET" and method ~= "HEAD") or headers.authorization or headers["x-requested-with"] then
    return false
  end
  local mode, accept = headers["sec-fetch-mode"], headers.accept
  if mode ~= nil then
    return mode == "navigate" and headers["sec-fetch-dest"] == "document"
  end
  return type(accept) == "string" and accept:lower():find("text/html", 1, true) ~= nil
end

local function redirect(url)
  local back = ngx.escape_uri(ngx.var.scheme .. "://" .. ngx.var.http_host .. ngx.var.request_uri)
  ngx.header["Cache-Control"] = "no-store"
  return ngx.redirect((url:gsub("{url}", function()
    return back
  end)), 302)
end

--- Answers the request.
---@param denial authgear.Denial
---@param options table realm, login_url
function M.answer(denial, options)
  local status = denial.status
  if status == 401 and options.login_url and ngx.var.http_host and is_page(ngx.req.get_headers(0)) then
    return redirect(options.login_url)
  end
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Cache-Control"] = "no-store"
  if status < 500 then
    ngx.header["WWW-Authenticate"] = challenge(denial, options.realm)
  else
    ngx.header["Retry-After"] = "1"
  end
  ngx.print('{"error":"' .. (denial.error or "unauthorized") .. '"}\n')
end

return M
