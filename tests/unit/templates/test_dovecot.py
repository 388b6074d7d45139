"""dovecot.conf of both generations says the same in two languages."""

import pytest

from outrider.check import DOVECOT, judge, parsed

from .conftest import CHECKOUT, Render, defaults

GENERATIONS = ("2.3", "2.4")
LMTP = "service lmtp/unix_listener /var/spool/postfix/private/dovecot-lmtp"


def settings(render: Render, generation: str) -> dict[str, str]:
    text = render(f"dovecot-conf/{generation}/dovecot.conf.j2")
    filters = render(f"dovecot-conf/{generation}/outrider-sieve.conf.j2")
    assert text.count("{") == text.count("}")
    return parsed(text) | parsed(filters)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_what_outrider_relies_on(render: Render, generation: str) -> None:
    found = settings(render, generation)
    assert [finding for finding in judge(DOVECOT, found) if not finding.fine] == []


@pytest.mark.parametrize("generation", GENERATIONS)
def test_no_login_is_remembered_delayed_or_unencrypted(render: Render, generation: str) -> None:
    found = settings(render, generation)
    assert found["auth_cache_size"] == "0"
    assert found["service anvil/unix_listener anvil-auth-penalty/mode"] == "0"
    assert found["ssl"] == "required"
    assert found["service auth-worker/user"] == "root"
    cleartext = {"2.3": ("disable_plaintext_auth", "yes"), "2.4": ("auth_allow_cleartext", "no")}
    key, value = cleartext[generation]
    assert found[key] == value


@pytest.mark.parametrize("generation", GENERATIONS)
def test_authd_alone_decides(render: Render, generation: str) -> None:
    found = settings(render, generation)
    passdbs = {key.split("/")[0] for key in found if key.startswith("passdb")}
    assert passdbs == {{"2.3": "passdb", "2.4": "passdb lua"}[generation]}
    assert "conf.d/" not in render(f"dovecot-conf/{generation}/dovecot.conf.j2").replace("conf.d,", "")
    bridge = "/etc/dovecot/outrider-auth.lua"
    if generation == "2.3":
        assert found["passdb/args"] == found["userdb/args"] == f"file={bridge} blocking=yes"
    else:
        assert found["passdb lua/lua_file"] == found["userdb lua/lua_file"] == bridge
        assert found["passdb lua/use_worker"] == found["userdb lua/use_worker"] == "yes"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_special_folders(render: Render, generation: str) -> None:
    found = settings(render, generation)
    for folder in defaults("dovecot")["dovecot_special_folders"]:
        assert found[f"namespace inbox/mailbox {folder}/auto"] == "subscribe"
        assert found[f"namespace inbox/mailbox {folder}/special_use"] == f"\\{folder}"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_postfix_alone_delivers_and_no_header_names_an_owner(render: Render, generation: str) -> None:
    found = settings(render, generation)
    assert (found[f"{LMTP}/user"], found[f"{LMTP}/mode"]) == ("postfix", "0600")
    assert found["lmtp_hdr_delivery_address"] == "original"


def test_both_generations_agree(render: Render) -> None:
    old, new = (settings(render, generation) for generation in GENERATIONS)
    common = {key for key in old.keys() & new.keys() if not key.startswith(("protocol", "!include"))}
    assert {key: old[key] for key in common} == {key: new[key] for key in common}
    assert len(common) > 30


def test_the_common_filter_uses_what_both_generations_have_switched_on() -> None:
    text = (CHECKOUT / "sieve" / "default.sieve").read_text()
    assert 'require ["fileinto", "mailbox"];' in text
