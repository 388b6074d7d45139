"""The wire formats of authd, classes without a socket: bytes in, frozen dataclasses out.

    fields.py        lines, TAB escapes, numbers: what the two Dovecot protocols share
    sasl.py          PLAIN and LOGIN
    events.py        what has been understood
    client.py        auth client, server side: "may this one log in"      (authd speaks it)
    client_peer.py   auth client, client side                             (Postfix, Dovecot's login processes)
    master.py        auth master, server side: "who is this user"         (authd speaks it)
    master_peer.py   auth master, client side                             (Dovecot's lmtp, doveadm, imap)
    admin.py         one JSON object per line: tokens, app passwords, levels

None of them raises on what a peer sends. There is no sound Python library of the two Dovecot protocols;
these four classes can be read and used alone.
"""
