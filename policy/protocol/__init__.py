"""Wire formats of the policy daemon: bytes in, frozen dataclasses out, and back. No sockets here.

delegation.py   Postfix's policy delegation protocol (SMTPD_POLICY_README)
netstring.py    netstrings, the framing of the socketmap protocol
socketmap.py    Sendmail's socketmap protocol as Postfix speaks it (socketmap_table(5))

Every reader takes any split of the stream and gives the same objects. What cannot be understood comes out
as one `Malformed`, after which the reader is deaf: the stream has no place to start again from.
"""
