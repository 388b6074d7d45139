"""authd: who may log in. Dovecot, Postfix and every other client of Dovecot's authentication protocol ask it.

    Postfix smtpd ──auth client──┐                                    ┌── Yes   OK user=…
    Dovecot (Lua file) ──────────┼─> server ─> login ─> decide ───────┼── No    FAIL, the same for every reason
    web, DAV servers ────────────┘              │        (pure)       └── Later temp_fail, or the connection closes
                                                │
                               store (facts) · hashing (one slow hash) · ending (spend a code) · keys (sealed secrets)

    Dovecot (Lua file, lmtp) ──auth master──> server ─> userdb ─> outrider.addresses.resolve
    outrider token …, app-password … ──line JSON──> server ─> enrol ─> store

Reading order: protocol (the wire formats, no sockets), decide (the whole judgement, pure), methods (kinds of
second factors), login (does the work that the decision asks for), store, server, main. docs/authd.md is for
operators.
"""
