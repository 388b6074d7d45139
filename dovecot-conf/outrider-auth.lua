-- Dovecot asks authd: who may log in (passdb), and whose mailbox an address is (userdb).
--
-- One file for Dovecot 2.3 and 2.4. It runs in Dovecot's auth workers (2.3: blocking=yes, 2.4: use_worker=yes,
-- both the default) and speaks Dovecot's own authentication protocols over two Unix sockets, as Postfix does:
--
--     /run/outrider/auth-login     auth client:  AUTH -> OK | FAIL
--     /run/outrider/auth-master    auth master:  USER -> USER | NOTFOUND | FAIL
--
-- It decides nothing. No answer is a temporary failure, never "wrong password" and never "no such user".
-- Needs lua-socket. Nothing here may fail at start: Dovecot would refuse every login for a minute.

local LOGIN = "/run/outrider/auth-login"
local MASTER = "/run/outrider/auth-master"
local ANSWER_SECONDS = 9 -- authd answers within 8
-- Shadow mode: outrider-shadow-yes.lua and -no.lua set the global SHADOW, which tells authd what was decided before.

require "socket" -- ignores SIGPIPE, so that writing to a closed connection is an error and not the end
local unix = require "socket.unix"
local mime = require "mime"

-- Fields are separated by TAB, lines by LF; 0x01 escapes what would break them (Dovecot src/lib/strescape.c).
local ESCAPED = { ["\0"] = "\0010", ["\1"] = "\0011", ["\t"] = "\1t", ["\n"] = "\1n", ["\r"] = "\1r" }
local MEANT = { ["0"] = "\0", ["1"] = "\1", t = "\t", n = "\n", l = "\n", r = "\r" }

local function escape(text)
  return (tostring(text):gsub("[\0\1\t\n\r]", ESCAPED))
end

local function unescape(text)
  return (text:gsub("\1(.)", function(letter) return MEANT[letter] or letter end))
end

-- The fields of one line, unescaped after the split.
local function split(line)
  local fields = {}
  for field in (line .. "\t"):gmatch("([^\t]*)\t") do
    fields[#fields + 1] = unescape(field)
  end
  return fields
end

-- `name=value` fields from number `first` on; a bare flag has the value "".
local function named(fields, first)
  local found = {}
  for number = first, #fields do
    local name, value = fields[number]:match("^([^=]*)=(.*)$")
    if name then found[name] = value else found[fields[number]] = "" end
  end
  return found
end

-- A request's variable; names differ between releases, and an unknown one is no error of the login.
local function of(request, name)
  local known, value = pcall(function() return request[name] end)
  if known and value ~= nil then return tostring(value) end
  return ""
end

-- Connections: one per socket and worker, kept open. --------------------------------------------------

local function line(...)
  local fields = { ... }
  for number = 1, #fields do fields[number] = escape(fields[number]) end
  return table.concat(fields, "\t") .. "\n"
end

-- Reads up to and with the last line of the banner. The auth master has no DONE, it ends with SPID.
local function greeted(socket, last)
  while true do
    local text = socket:receive("*l")
    if not text then return false end
    if split(text)[1] == last then return true end
  end
end

local Link = {}
Link.__index = Link

local function link(path, greeting, last)
  return setmetatable({ path = path, greeting = greeting, last = last, number = 0 }, Link)
end

function Link:open()
  local socket = unix.stream and unix.stream() or unix()
  socket:settimeout(ANSWER_SECONDS)
  if socket:connect(self.path) and socket:send(self.greeting()) and greeted(socket, self.last) then
    self.socket = socket
    return true
  end
  socket:close()
  return false
end

function Link:close()
  if self.socket then self.socket:close() end
  self.socket = nil
end

-- Sends one request; `make` gives its line for a number. A connection that authd has closed meanwhile (it was
-- restarted) is found out here, before the request has left: so it is opened again, once.
function Link:send(make)
  self.number = self.number % 0x7fffffff + 1
  local text = make(self.number)
  if self.socket and self.socket:send(text) then return self.number end
  self:close()
  if self:open() and self.socket:send(text) then return self.number end
  self:close()
  return nil
end

-- The fields of the next line that answers `number`, or nil. After nil the connection is gone: a late answer
-- must not be taken for the next one's. The request is not sent again: authd may have used up its code.
function Link:receive(number)
  while true do
    local text = self.socket:receive("*l")
    if not text then
      self:close()
      return nil
    end
    local fields = split(text)
    if fields[2] == tostring(number) then return fields end
  end
end

local login = link(LOGIN, function()
  return line("VERSION", "1", "1") .. line("CPID", math.random(1, 0x7fffffff))
end, "DONE")
local master = link(MASTER, function() return line("VERSION", "1", "1") end, "SPID")

-- What Dovecot calls. ---------------------------------------------------------------------------------

function script_init()
  return 0
end

function script_deinit()
  login:close()
  master:close()
end

-- 2.3 calls the service of a request `service`, 2.4 `protocol`.
local function service(request)
  local name = of(request, "protocol")
  if name ~= "" then return name end
  return of(request, "service")
end

local function login_line(number, request, password)
  local fields = { "AUTH", number, "PLAIN", "service=" .. service(request), "nologin" }
  if SHADOW then fields[#fields + 1] = "observed=" .. SHADOW end
  if of(request, "secured") ~= "" then fields[#fields + 1] = "secured" end
  local addresses = { rip = "remote_ip", real_rip = "real_remote_ip", lip = "local_ip", session = "session" }
  for name, variable in pairs(addresses) do
    local value = of(request, variable)
    if value ~= "" then fields[#fields + 1] = name .. "=" .. value end
  end
  local user = of(request, "user")
  fields[#fields + 1] = "resp=" .. mime.b64("\0" .. user .. "\0" .. password)
  return line(table.unpack(fields))
end

function auth_password_verify(request, password)
  local auth = dovecot.auth
  local number = login:send(function(id) return login_line(id, request, password) end)
  local answer = number and login:receive(number)
  if not answer then return auth.PASSDB_RESULT_INTERNAL_FAILURE, "authd does not answer" end
  local found = named(answer, 3)
  if answer[1] == "OK" and not SHADOW then
    return auth.PASSDB_RESULT_OK, { user = found.user, password = password }
  end
  -- Beside a failure 2.3 wants a text and 2.4 takes nothing but a text.
  if found.code == "temp_fail" then return auth.PASSDB_RESULT_INTERNAL_FAILURE, "authd says: later" end
  if found.code == "user_disabled" then return auth.PASSDB_RESULT_USER_DISABLED, "" end
  if found.code == "pass_expired" then return auth.PASSDB_RESULT_PASS_EXPIRED, "" end
  return auth.PASSDB_RESULT_PASSWORD_MISMATCH, ""
end

-- Credentials without a password: authd gives none out.
function auth_passdb_lookup(request)
  return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
end

function auth_userdb_lookup(request)
  local auth = dovecot.auth
  local user = of(request, "user")
  local number = master:send(function(id) return line("USER", id, user, "service=" .. service(request)) end)
  local answer = number and master:receive(number)
  if answer and answer[1] == "USER" then
    local fields = named(answer, 4)
    fields.user = answer[3] -- the owner: an address of his is not a mailbox of its own
    return auth.USERDB_RESULT_OK, fields
  end
  if answer and answer[1] == "NOTFOUND" then return auth.USERDB_RESULT_USER_UNKNOWN, "" end
  return auth.USERDB_RESULT_INTERNAL_FAILURE, answer and "authd says: later" or "authd does not answer"
end

-- `doveadm … -A`. An incomplete list must not look complete, so trouble is an error here.
function auth_userdb_iterate()
  local users = {}
  local number = master:send(function(id) return line("LIST", id, "user=*", "service=doveadm") end)
  while number do
    local answer = master:receive(number)
    if not answer then break end
    if answer[1] == "DONE" and not answer[3] then return users end
    if answer[1] ~= "LIST" then break end
    users[#users + 1] = answer[3]
  end
  error("authd gave no complete list of users")
end
