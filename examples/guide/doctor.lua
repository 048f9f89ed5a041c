-- Why does it not work? Ask the doctor, with what configure and authenticate would get.
local authgear = require "authgear"

local findings, well = authgear.doctor {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
  redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" },
}
for _, finding in ipairs(findings) do
  print(("%-5s %-15s %s"):format(finding.status, finding.check, finding.message))
  if finding.advice then
    print((" "):rep(22) .. finding.advice)
  end
end
os.exit(well and 0 or 1)
