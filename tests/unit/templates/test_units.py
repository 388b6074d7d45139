"""The units and outrider.toml are rendered from one list of listeners; the daemons' own defaults say the same."""

import tomllib
from typing import Any

import pytest

from authd.settings import AuthdSettings
from hkpd.settings import HkpdSettings
from outrider.listeners import Listener
from outrider.settings import CoreSettings, build
from policy.settings import PolicySettings

from .conftest import DAEMONS, Render, defaults

CLASSES: dict[str, Any] = {"authd": AuthdSettings, "policy": PolicySettings, "hkpd": HkpdSettings}


def described(name: str, **changes: Any) -> dict[str, Any]:
    """What a daemon's role hands to the units' templates."""
    return {"name": name, "description": "it serves", "listeners": defaults(name)[f"{name}_listeners"], **changes}


def values(unit: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{key}=")]


def test_the_configuration_file_is_what_the_daemons_read(render: Render) -> None:
    tables = tomllib.loads(render("outrider.toml.j2"))
    core = build(CoreSettings, tables["outrider"], "[outrider]")
    assert (core.domain, core.hostname) == ("provider.example", "mail.provider.example")
    for name in DAEMONS:
        build(CLASSES[name], tables[name], f"[{name}]")


@pytest.mark.parametrize("name", DAEMONS)
def test_role_and_daemon_name_the_same_sockets(render: Render, name: str) -> None:
    tables = tomllib.loads(render("outrider.toml.j2"))
    rendered = build(CLASSES[name], tables[name], name).listeners
    assert sorted(rendered, key=name_of) == sorted(CLASSES[name]().listeners, key=name_of)


def name_of(listener: Listener) -> str:
    return listener.name


def test_the_operators_settings_win_and_need_no_quoting(render: Render) -> None:
    changed = {"authd": {"issuer": 'A "B" & <C>\\', "default_level": 4}, "policy": {}, "hkpd": {}}
    wired = {"authd": {"default_level": 2, "quota_field": "quota_storage_size"}, "policy": {}, "hkpd": {}}
    text = render("outrider.toml.j2", outrider_settings_of=changed, outrider_wired_of=wired)
    table = tomllib.loads(text)["authd"]
    assert (table["issuer"], table["default_level"]) == ('A "B" & <C>\\', 4)
    assert table["quota_field"] == "quota_storage_size"


@pytest.mark.parametrize("name", DAEMONS)
def test_a_service_needs_each_of_its_sockets(render: Render, name: str) -> None:
    daemon = described(name)
    sockets = {f"outrider-{name}-{one['name']}.socket" for one in daemon["listeners"]}
    unit = render("service.j2", outrider_daemon=daemon)
    for key in ("Requires", "After", "Also"):
        (value,) = values(unit, key)
        assert sockets <= set(value.split())
    assert values(unit, "User") == [f"outrider-{name}"]
    assert values(unit, "StartLimitIntervalSec") == ["0"]  # a daemon given up on kills every cold smtpd


@pytest.mark.parametrize("name", DAEMONS)
def test_a_socket_is_for_its_consumer_alone(render: Render, name: str) -> None:
    daemon = described(name)
    for listener in daemon["listeners"]:
        unit = render("socket.j2", outrider_daemon=daemon, listener=listener)
        assert values(unit, "ListenStream") == [listener.get("path") or listener["address"]]
        assert values(unit, "Service") == [f"outrider-{name}.service"]
        assert values(unit, "TriggerLimitIntervalSec") == ["0"]
        if "path" in listener:
            assert values(unit, "SocketMode") == ["0600"]
            assert values(unit, "SocketUser") == [listener.get("owner", "root")]
        else:
            assert not values(unit, "SocketMode")


def test_a_daemon_without_business_outside_has_no_network(render: Render) -> None:
    alone = render("service.j2", outrider_daemon=described("policy", network=False))
    outside = render("service.j2", outrider_daemon=described("policy", network=True))
    assert values(alone, "PrivateNetwork") == ["yes"]
    assert values(alone, "RestrictAddressFamilies") == ["AF_UNIX"]
    assert not values(outside, "PrivateNetwork")
    assert values(outside, "RestrictAddressFamilies") == ["AF_UNIX AF_INET AF_INET6"]


def test_a_key_is_handed_to_its_daemon_alone(render: Render) -> None:
    with_key = render("service.j2", outrider_daemon=described("authd", credentials=["auth.key"]))
    assert values(with_key, "LoadCredential") == ["auth.key:/etc/outrider/secrets/auth.key"]
    assert not values(render("service.j2", outrider_daemon=described("policy")), "LoadCredential")


def test_the_databases_password_is_handed_to_all(render: Render) -> None:
    wanted = ["auth.key:/etc/outrider/secrets/auth.key", "database:/etc/outrider/secrets/database"]
    daemon = described("authd", credentials=["auth.key"])
    unit = render("service.j2", outrider_daemon=daemon, outrider_shared_credentials=["database"])
    assert values(unit, "LoadCredential") == wanted
    notices = render("outrider-notices.service.j2", outrider_shared_credentials=["database"])
    assert values(notices, "LoadCredential") == wanted[1:]


def test_users_and_notices(render: Render) -> None:
    users = render("sysusers.conf.j2")
    assert {line.split()[1] for line in users.splitlines() if line.startswith("u ")} == {
        "outrider",
        *(f"outrider-{name}" for name in DAEMONS),
    }
    assert values(render("outrider-notices.service.j2"), "User") == ["outrider"]
    assert values(render("outrider-notices.timer.j2"), "OnUnitInactiveSec") == ["5min"]
