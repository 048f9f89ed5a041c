-- Calls about anonymous users and machines for memory_spec.lua, in its own form: a name, what comes before, the call itself,
-- and whether it can be made once only. Must never call what can fail for another reason than memory.

local assert = require "luassert"

return {
  {
    name = "authenticate_anonymously", call = function(world)
      return world.client:authenticate_anonymously { key = true }
    end,
  }, {
    name = "authenticate_anonymously, coming back", before = function(world)
      assert(world.client:authenticate_anonymously { key = true })
      assert(world.client:logout())
      world.key = world:record():match '"anonymous_key":"([^"]+)"'
    end, call = function(world)
      local info, err = world.client:authenticate_anonymously { key = true }
      assert.equal(world.key, world:record():match '"anonymous_key":"([^"]+)"')
      return info, err
    end,
  }, {
    name = "authenticate_anonymously without a key", call = function(world)
      return world.client:authenticate_anonymously { key = false }
    end,
  }, {
    name = "authenticate_anonymously without a key, going on", before = function(world)
      assert(world.client:authenticate_anonymously { key = false })
    end, call = function(world)
      return world.client:authenticate_anonymously { key = false }
    end,
  }, {
    name = "start_promotion by key", before = function(world)
      assert(world.client:authenticate_anonymously { key = true })
    end, call = function(world)
      return world.client:start_promotion { redirect_uri = world.server.redirect_uri }
    end,
  }, {
    name = "start_promotion by code", before = function(world)
      assert(world.client:authenticate_anonymously { key = false })
    end, call = function(world)
      return world.client:start_promotion { redirect_uri = world.server.redirect_uri }
    end,
  }, {
    name = "finish_promotion", before = function(world)
      assert(world.client:authenticate_anonymously { key = true })
      local request = assert(world.client:start_promotion { redirect_uri = world.server.redirect_uri })
      world.url = world.server:visit(request.url)
    end, call = function(world)
      return world.client:finish_promotion(world.url)
    end, spent = true, -- a code is tried once
  }, {
    name = "finish_promotion of another user", before = function(world)
      assert(world.client:authenticate_anonymously { key = true })
      local request = assert(world.client:start_promotion { redirect_uri = world.server.redirect_uri })
      world.url = world.server:visit(request.url, "user")
    end, call = function(world)
      local _, err = world.client:finish_promotion(world.url)
      assert.is_string(world:record():match '"anonymous_key":"([^"]+)"')
      assert.equal("AUTHENTICATED", world.client:session_state())
      return err.code == "promotion_conflict" or nil, err
    end, spent = true,
  }, {
    name = "client_credentials", call = function(world)
      return world.client:client_credentials { resource = "https://api.example", scope = "read" }
    end,
  }, {
    name = "a machine's fetch, refused and replayed", before = function(world)
      world.machine = assert(world.client:client_credentials { resource = "https://api.example" })
      world.server.tokens[world.machine:access_token()].born = -world.server.lifetime
    end, call = function(world)
      local response, err = world.machine:fetch(world.server.app .. "/x")
      return response and response.status == 200, err
    end,
  },
}
