"""policy: which mail may pass, which addresses exist, and disposable addresses that can never send.

    Postfix smtpd ── policy delegation ──┐                              ┌── directory: whose address is it
                                         ├─ server ─ answers ─ decide ──┤
    Postfix lookups ── socketmap ────────┘                              └── domains: own, disposable, external

    outrider alias new|list|end|add ── cli ── store ── tables alias, tombstone

Postfix asks twice. The socketmap `senders` says which logins own a sender: that is the control, an allow-list in
which no disposable address stands (reject_sender_login_mismatch). The policy service before it says no to the
same mails with a text a person understands, a log line and a count, and yes to nothing: DUNNO is its only yes.

Specifications: SMTPD_POLICY_README, socketmap_table(5), access(5), smtpd_sender_login_maps in postconf(5).
Read protocol/, then decide.py, answers.py, server.py, store.py.
"""
