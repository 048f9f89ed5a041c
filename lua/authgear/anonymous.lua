--- Anonymous users: logging one in, and making it one with an account.
-- Must never see the device key: it stays in the core and in the stored record.
local check = require "authgear.check"
local core = require "authgear.core"
local kinds = require "authgear.kinds"
local lazy = require "authgear.lazy"
local tasks = require "authgear.task"
local user_info = require "authgear.user_info"

local login = lazy "authgear.login"

local M = {}

---@class authgear.AnonymousOptions
---@field key boolean|nil with a device key (true, unless `storage` is "memory", which could not keep it)

---@class authgear.PromotionRequest what the server is asked for
---@field redirect_uri string|nil one of the client's registered redirect URIs, to the letter
---@field x_state string|nil a string of yours, passed through to the server
---@field ui_locales string|nil e.g. "fr-CA en"
---@field color_scheme "light"|"dark"|nil
---@field authentication_flow_group string|nil

---@class authgear.PromotionOptions : authgear.PromotionRequest
---@field redirect_uris string[]|nil as authenticate's
---@field ui nil|"browser"|"console"|fun(request: table): string|nil, any as authenticate's
---@field timeout number|nil seconds for the person (300)
---@field cancelled nil|fun(): boolean polled about ten times a second; true gives up

local PROMOTION = {
  redirect_uri = "text", x_state = "text", ui_locales = "text", color_scheme = kinds.one_of { "light", "dark" },
  authentication_flow_group = "text",
}

local WANTED = { prompt = "login" }

--- See authgear.Client:authenticate_anonymously.
function M.authenticate(runtime, options)
  check.options("authenticate_anonymously", 1, options, { key = "boolean" })
  local with_key = options and options.key
  if with_key == nil then
    with_key = not runtime.own_memory
  end
  local flow, err = tasks.finish(runtime, {}, core.anonymous_flow(runtime.core, with_key))
  if not flow then
    return nil, err
  end
  local claims, partial = core.anonymous_claims(flow)
  return user_info.of(claims or {}, partial)
end

--- See authgear.Client:start_promotion.
function M.start_promotion(runtime, options)
  options = check.options("start_promotion", 1, options, PROMOTION, { "redirect_uri" })
  local wanted = { prompt = WANTED.prompt }
  for name, value in pairs(options) do
    wanted[name] = value
  end
  return login.begin(runtime, "promotion", wanted)
end

--- See authgear.Client:finish_promotion.
function M.finish_promotion(runtime, callback_url)
  check.value("finish_promotion", 1, "callback URL", callback_url, "text")
  return login.complete(runtime, "promotion", callback_url)
end

--- See authgear.Client:promote_anonymous_user.
function M.promote(runtime, options)
  options = check.options("promote_anonymous_user", 1, options, login.with_ui(PROMOTION), {})
  return login.through_ui(runtime, "promote_anonymous_user", 1, "promotion", options, WANTED)
end

return M
