"""main.cf and master.cf: who may send what to whom, before any Postfix runs."""

from itertools import pairwise

from outrider import check

from .conftest import Render

MAIN, MASTER = "postfix-conf/main.cf.j2", "postfix-conf/master.cf.j2"
CHROOTED = ("smtpd", "cleanup", "trivial-rewrite", "lmtp", "smtp", "bounce")


def logical_lines(text: str) -> list[str]:
    """postconf(5): a line that begins with white space goes on with the one before; comments are no lines."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def parameters(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in logical_lines(text)]
    names = [name.strip() for name, _, _ in pairs]
    assert len(names) == len(set(names)), "a parameter stands twice"
    return {name.strip(): value.strip() for name, _, value in pairs}


def services(text: str) -> dict[str, list[str]]:
    """Service/type -> columns and options of master.cf."""
    found = {}
    for line in logical_lines(text):
        words = line.split()
        found[f"{words[0]}/{words[1]}"] = words
    return found


def options(words: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for flag, word in pairwise(words) if flag == "-o")


def test_what_outrider_relies_on(render: Render) -> None:
    settings = parameters(render(MAIN))
    assert [finding for finding in check.judge(check.MAIN, settings) if not finding.fine] == []


def test_nobody_relays_for_where_he_comes_from(render: Render) -> None:
    settings = parameters(render(MAIN))
    assert settings["mynetworks"] == ""
    assert settings["smtpd_relay_restrictions"] == "reject_unauth_destination"
    assert "permit_mynetworks" not in render(MAIN)


def test_policy_is_asked_before_the_owner_table_and_fails_closed(render: Render) -> None:
    settings = parameters(render(MAIN))
    sender = settings["mua_sender_restrictions"]
    assert sender.index("policy_context=submission") < sender.index("reject_sender_login_mismatch")
    recipient = settings["smtpd_recipient_restrictions"]
    assert recipient.index("reject_unlisted_recipient") < recipient.index("policy_context=smtp")
    assert sender.count("default_action = 451") == recipient.count("default_action = 451") == 1


def test_a_closed_installation_sends_to_its_own_domains_alone(render: Render) -> None:
    closed = parameters(render(MAIN, postfix_relay_only_to=["remote.example", "school.example"]))
    restriction = closed["mua_relay_restrictions"]
    assert restriction.startswith("check_recipient_access inline:{ { remote.example = permit_sasl_authenticated }")
    assert restriction.endswith("reject_unauth_destination")
    assert parameters(render(MAIN))["mua_relay_restrictions"] == "permit_sasl_authenticated, reject"


def test_the_operators_own_lines(render: Render) -> None:
    settings = parameters(render(MAIN, postfix_settings={"smtp_bind_address": "192.0.2.1"}))
    assert settings["smtp_bind_address"] == "192.0.2.1"
    assert "{ root = ops@provider.example }" in render(MAIN, postfix_root_mail_to="ops@provider.example")


def test_debians_chroot_column(render: Render) -> None:
    chrooted = {words[7] for words in services(render(MASTER)).values() if words[4] == "y"}
    assert set(CHROOTED) <= chrooted


def test_no_login_on_port_25(render: Render) -> None:
    table = services(render(MASTER))
    assert not [name for name in options(table["smtp/inet"]) if "sasl" in name]
    assert options(table["smtp/inet"])["smtpd_discard_ehlo_keywords"] == "dsn,silent-discard"


def test_both_submission_services_are_equally_strict(render: Render) -> None:
    table = services(render(MASTER))
    starttls, wrapped = options(table["587/inet"]), options(table["465/inet"])
    assert wrapped.pop("smtpd_tls_wrappermode") == "yes"
    for one, name in ((starttls, "submission"), (wrapped, "smtps")):
        assert one.pop("syslog_name") == f"postfix/{name}"
        assert one.pop("smtpd_sasl_service") == name
    assert starttls == wrapped
    assert starttls["smtpd_tls_security_level"] == "encrypt"
    assert starttls["smtpd_sasl_path"] == "outrider/auth"  # relative to the queue directory: smtpd is chrooted
