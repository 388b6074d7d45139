"""The core of Outrider: what every daemon beside Postfix and Dovecot shares.

    settings     the configuration file as frozen dataclasses
    addresses    the one normaliser, the one judgement of an address
    directory    who exists (SQL; other directories keep the same shape)
    db/          SQLite and PostgreSQL behind six verbs
    passwords    slow hashes          sealed      secrets at rest
    listeners    sockets              daemon      the frame that runs a daemon
    admin        /healthz, /metrics   metrics, logs
    cli          the frame of the command `outrider`; commands are found by entry points
    notices      the only sender of mail to users
    check        invariants of Postfix and Dovecot that Outrider relies on

It imports nothing of the daemons. Read `addresses` first: most questions end there.
"""
