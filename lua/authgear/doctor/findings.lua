--- The doctor's findings: a list of { check, status, message, advice }. Must never take a text that may hold a secret.
local M = {}

---@class authgear.Finding
---@field check string which check it was; a stable word, see docs/doctor.md
---@field status "ok"|"warn"|"fail"
---@field message string what was found, for people
---@field advice string|nil what to do about it
---@field code string|nil the error code, if there was an error: docs/errors.md

local Findings = {}
Findings.__index = Findings

local function add(list, status, check, message, advice, code)
  list[#list + 1] = { check = check, status = status, message = message, advice = advice, code = code }
end

for _, status in ipairs { "ok", "warn", "fail" } do
  Findings[status] = function(list, ...)
    add(list, status, ...)
  end
end

--- Nothing failed?
function Findings:is_well()
  for _, finding in ipairs(self) do
    if finding.status == "fail" then
      return false
    end
  end
  return true
end

--- An empty list, with ok(check, message), warn and fail(check, message, advice, code) as methods.
function M.new()
  return setmetatable({}, Findings)
end

return M
