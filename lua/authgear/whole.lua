--- require "authgear.whole" loads every part that would otherwise be loaded when it is first needed: for programs in which
-- nothing can be loaded later (after a chroot or a change of user, without a descriptor left), or that mind a pause then (a
-- game's frame). Gives the module authgear. Left out are the adapters to other libraries' loops, nginx, the command-line tool and the
-- system's secret store. Must never do anything but load.
local authgear = require "authgear"

local PARTS = {
  "anonymous", "async", "check", "client_anonymous", "client_calls", "client_dpop", "client_identity", "client_machines",
  "client_pages", "client_resolve", "client_settings", "closing", "curl", "current", "doctor", "doctor.findings", "doctor.here",
  "doctor.server", "doctor.storage", "dpop", "driver", "errors", "fetching", "file", "host.blocking", "host.inside",
  "host.loop", "kinds", "lazy", "login", "loopback", "machine", "misuse", "protect", "record", "refreshing", "resolve",
  "response", "running", "runtime", "scheduler", "storage", "storage.custom", "storage.file", "storage.keyed",
  "storage.logins", "storage.memory", "task", "timers", "transport.curl", "transport.custom", "transport.drive", "transport.engine", "ui",
  "ui.console", "ui.system", "unauthorized", "user_info", "verify", "waits",
}

for _, part in ipairs(PARTS) do
  require("authgear." .. part)
end

return authgear
