"""Whose address counts, and what counts as one network."""

import pytest

from authd.origin import Fronts, network_of
from authd.settings import AuthdSettings


@pytest.mark.parametrize(
    ("told", "user", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("2001:DB8:0:1::7", "2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("127.0.0.1", "", ""),
        ("::1", "", ""),
        ("::ffff:127.0.0.1", "", ""),
        ("10.0.0.5", "", ""),
        ("", "", ""),
        ("unix", "", ""),
        ("192.0.2.7 evil=1", "", ""),
        ("192.0.2.7\n", "", ""),
    ],
)
def test_the_user_and_his_network(told: str, user: str, network: str) -> None:
    fronts = Fronts((*AuthdSettings().trusted_fronts, "10.0.0.0/29"))
    assert fronts.user(told) == user
    assert network_of(fronts.user(told)) == network


@pytest.mark.parametrize("wrong", ["10.0.0.5/8", "front.example", "10.0.0.0/33"])
def test_what_is_no_network_is_a_mistake_of_the_configuration(wrong: str) -> None:
    with pytest.raises(ValueError, match="trusted_fronts"):
        AuthdSettings(trusted_fronts=(wrong,))
