-- Shadow mode (docs/authd.md): the passdb before this one has said yes; authd is told so and decides nothing.
SHADOW = "yes"
dofile("/etc/dovecot/outrider-auth.lua")
