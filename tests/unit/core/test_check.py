"""The invariants: each one is broken once and reported."""

import pytest

from outrider import check
from outrider.check import DOVECOT, MAIN, MASTER, Invariant, findings, judge, parsed

POSTCONF_N = """\
disable_vrfy_command = yes
mua_client_restrictions = permit_sasl_authenticated, reject
mua_sender_restrictions = check_policy_service { unix:outrider/policy, timeout=3s, { default_action = 451 4.3.0 Later },
    policy_context=submission }, reject_sender_login_mismatch
mynetworks =
recipient_delimiter = +
show_user_unknown_table_name = no
smtpd_recipient_restrictions = reject_unlisted_recipient,
    check_policy_service { unix:outrider/policy, { default_action = 451 4.3.0 Later }, policy_context=smtp }
smtpd_relay_restrictions = reject_unauth_destination
smtpd_sender_login_maps = socketmap:unix:outrider/socketmap:senders
virtual_alias_maps =
virtual_mailbox_domains = socketmap:unix:outrider/socketmap:domains
virtual_mailbox_maps = socketmap:unix:outrider/socketmap:recipients
"""
POSTCONF_P = """\
465/inet/smtpd_sasl_path = outrider/auth
465/inet/smtpd_sender_restrictions = $mua_sender_restrictions
465/inet/smtpd_tls_security_level = encrypt
587/inet/smtpd_sasl_path = outrider/auth
587/inet/smtpd_sender_restrictions = $mua_sender_restrictions
587/inet/smtpd_tls_security_level = encrypt
smtp/inet/smtpd_discard_ehlo_keywords = dsn,silent-discard
"""
FOLDERS = "\n".join(
    f"  mailbox {name} {{\n    auto = subscribe\n    special_use = \\{name}\n  }}"
    for name in ("Drafts", "Sent", "Trash", "Archive", "Junk")
)
DOVECONF_N = f"""\
# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf
auth_username_chars =
lmtp_hdr_delivery_address = original
namespace inbox {{
{FOLDERS}
  separator = /
}}
passdb {{
  args = file=/etc/dovecot/outrider-auth.lua blocking=yes
  driver = lua
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 00
  }}
}}
service auth-worker {{
  user = root
}}
service lmtp {{
  unix_listener /var/spool/postfix/private/dovecot-lmtp {{
    mode = 0600
    user = postfix
  }}
}}
ssl = required
"""


def test_a_host_as_it_should_be() -> None:
    assert [one for one in findings(POSTCONF_N, POSTCONF_P, DOVECONF_N) if not one.fine] == []


@pytest.mark.parametrize(
    ("place", "right", "wrong", "name"),
    [
        (0, "mynetworks =", "mynetworks = 127.0.0.0/8", "nobody is trusted by address"),
        (0, "mynetworks =\n", "", "nobody is trusted by address"),
        (0, "disable_vrfy_command = yes", "disable_vrfy_command = no", "VRFY is off"),
        (0, "mynetworks =", "smtpd_sasl_auth_enable = yes\nmynetworks =", "no SASL on port 25"),
        (0, "relay_restrictions = ", "relay_restrictions = permit_mynetworks, ", "no open relay"),
        (0, ", reject_sender_login_mismatch", "", "the sending ban"),
        (0, "{ default_action = 451 4.3.0 Later },\n", "\n", "the sending ban"),
        (0, "virtual_alias_maps =", "virtual_alias_maps = hash:/etc/aliases", "no aliases before the last hop"),
        (
            1,
            "587/inet/smtpd_sasl_path = outrider/auth",
            "587/inet/smtpd_sasl_path = private/auth",
            "authd is asked direc",
        ),
        (1, "465/inet/smtpd_tls_security_level = encrypt\n", "", "TLS only (465)"),
        (2, "ssl = required", "ssl = required\nauth_cache_size = 10 M", "no cache of logins"),
        (2, "mode = 00", "mode = 0600", "no penalty for failed logins"),
        (2, "mode = 0600", "mode = 0666", "nobody else opens LMTP"),
        (2, "blocking=yes", "blocking=no", "logins are asked by workers"),
        (2, "special_use = \\Junk", "special_use = \\Trash", "folder Junk"),
        (2, "lmtp_hdr_delivery_address = original", "", "headers show the address that was used"),
    ],
)
def test_one_thing_broken(place: int, right: str, wrong: str, name: str) -> None:
    texts = [POSTCONF_N, POSTCONF_P, DOVECONF_N]
    assert right in texts[place]
    texts[place] = texts[place].replace(right, wrong, 1)
    (found,) = [one for one in findings(*texts) if not one.fine]
    assert found.name.startswith(name)


def test_every_invariant_can_fail() -> None:
    """An invariant that holds of any value would prove nothing."""
    for one in (*MAIN, *MASTER, *DOVECOT):
        assert not one.holds("nonsense"), one.name


def test_programs_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert not any(one.fine for one in check.host())


def test_the_setting_of_this_release_counts() -> None:
    either = Invariant("n", ("new", "old"), lambda value: value == "right", "w")
    assert judge((either,), {"old": "right"})[0].fine
    assert not judge((either,), {"new": "wrong", "old": "right"})[0].fine


def test_blocks_and_continued_lines() -> None:
    assert parsed("a {\n  b c {\n    d = e\n  }\n  f = g=h\n}\ni = j\n   k\n") == {
        "a/b c/d": "e",
        "a/f": "g=h",
        "i": "j k",
    }
