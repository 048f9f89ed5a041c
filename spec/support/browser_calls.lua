-- Calls about reauthentication, settings actions and pages for memory_spec.lua, in its own form. Must never call what can fail for
-- another reason than memory.

local function log_in(world)
  world:log_in()
end

return {
  {
    name = "start_reauthentication", only = "custom", before = log_in, call = function(world)
      return world.client:start_reauthentication { redirect_uri = world.server.redirect_uri }
    end,
  }, {
    name = "finish_reauthentication", only = "custom", before = function(world)
      world:log_in()
      local request = assert(world.client:start_reauthentication { redirect_uri = world.server.redirect_uri })
      world.url = world.server:visit(request.url)
    end, call = function(world)
      return world.client:finish_reauthentication(world.url)
    end,
    spent = true,
  }, {
    name = "refresh_id_token", before = log_in, call = function(world)
      return world.client:refresh_id_token()
    end,
  }, {
    name = "start_settings_action", only = "custom", before = log_in, call = function(world)
      return world.client:start_settings_action("change_email", { redirect_uri = world.server.redirect_uri, login_id = "a@b" })
    end,
  }, {
    name = "finish_settings_action", only = "custom", before = function(world)
      world:log_in()
      local options = { redirect_uri = world.server.redirect_uri }
      local request = assert(world.client:start_settings_action("delete_account", options))
      world.url = world.server:visit(request.url)
    end, call = function(world)
      return world.client:finish_settings_action(world.url)
    end,
    spent = true,
  }, {
    name = "make_page_url", only = "custom", before = log_in, call = function(world)
      return world.client:make_page_url "settings"
    end,
  }, {
    name = "make_pre_authenticated_url", only = "custom", before = log_in, call = function(world)
      return world.client:make_pre_authenticated_url {
        web_application_client_id = "w", web_application_uri = "https://w/", state = "s",
      }
    end,
  }, {
    name = "end_session_url", only = "custom", before = log_in, call = function(world)
      return world.client:end_session_url { post_logout_redirect_uri = "app://out", state = "s" }
    end,
  },
}
