-- Shadow mode (docs/authd.md): the passdb before this one has said no; authd is told so and decides nothing.
SHADOW = "no"
dofile("/etc/dovecot/outrider-auth.lua")
