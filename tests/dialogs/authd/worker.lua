-- Stands for one of Dovecot's auth workers: loads the file named first, then does what each line of standard input
-- says (words in base64) and prints the outcome in one line, fields sorted.
local mime = require "mime"

dovecot = { auth = {} }
for _, name in ipairs { "OK", "USER_UNKNOWN", "INTERNAL_FAILURE" } do
  dovecot.auth["USERDB_RESULT_" .. name] = "userdb " .. name
end
for _, name in ipairs { "OK", "USER_UNKNOWN", "INTERNAL_FAILURE", "PASSWORD_MISMATCH", "USER_DISABLED", "PASS_EXPIRED" } do
  dovecot.auth["PASSDB_RESULT_" .. name] = "passdb " .. name
end

-- 2.3 has no key `protocol` and answers nil; 2.4 raises no error either, but another release might.
local function request(service, user, release)
  local known = { user = user, remote_ip = "198.51.100.7", secured = "TLS", session = "abc" }
  known[release == "2.3" and "service" or "protocol"] = service
  return setmetatable({}, { __index = function(_, key)
    if known[key] == nil and release == "strict" then error("no such key") end
    return known[key]
  end })
end

local function shown(result, extra)
  if type(extra) ~= "table" then return result .. "|" .. tostring(extra) end
  local parts = {}
  for name, value in pairs(extra) do parts[#parts + 1] = name .. "=" .. value end
  table.sort(parts)
  return result .. "|" .. table.concat(parts, ",")
end

local calls = {
  verify = function(release, service, user, password)
    return shown(auth_password_verify(request(service, user, release), password))
  end,
  lookup = function(release, service, user) return shown(auth_passdb_lookup(request(service, user, release))) end,
  user = function(release, service, user) return shown(auth_userdb_lookup(request(service, user, release))) end,
  list = function()
    local done, users = pcall(auth_userdb_iterate)
    return done and "list|" .. table.concat(users, ",") or "error"
  end,
}

dofile(arg[1])
assert(script_init() == 0)
for text in io.lines() do
  local words = {}
  for word in text:gmatch("%S+") do words[#words + 1] = mime.unb64(word) or "" end
  print((mime.b64(calls[words[1]](table.unpack(words, 2)))))
  io.flush()
end
script_deinit()
