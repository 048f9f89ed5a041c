-- busted: starts busted under whichever Lua runs this file, so that no wrapper
-- script decides the Lua version. Must never load anything of the SDK.
--
-- With AUTHGEAR_TEST_RESULT set to a file name the counts go there:
-- "passed failed pending", the last thing a run does.

require("busted.runner")({
    standalone = false,
    output = os.getenv("AUTHGEAR_TEST_RESULT") and "scripts/busted_output.lua" or nil,
})
