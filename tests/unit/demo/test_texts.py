"""Texts that the demo reads and writes: zones, the playbook's output, apt's sources."""

import pytest

from demo.bare import playbook_packages
from demo.names import HOST, file_name, six, zone_file, zones
from demo.places import Mirror, release_named
from demo.play import RECAP, TASK, failures

OUTPUT = """
TASK [outrider : Write it] ***************
fatal: [host]: FAILED! => {"msg": "why"}

PLAY RECAP *****
host                       : ok=54   changed=34   unreachable=0    failed=1    skipped=4    rescued=0    ignored=0
"""


def test_every_zone_has_its_file_and_its_soa():
    assert len({file_name(zone) for zone in zones()}) == len(zones())
    for zone, text in zones().items():
        written = zone_file(zone, text, 7)
        assert written.startswith(f"$ORIGIN {zone.strip('.')}.\n")
        assert " 7 60 60 60 1\n" in written


def test_host_has_both_addresses_under_every_name():
    text = zones()["provider.example"]
    for name in ("@", "mail", "keys", "openpgpkey", "autoconfig"):
        assert f"{name} A {HOST}" in text
        assert f"{name} AAAA {six(HOST)}" in text


def test_recap_and_failure_are_found():
    assert RECAP.findall(OUTPUT) == [("host", "54", "34", "0", "1")]
    assert "why" in failures(OUTPUT)
    assert TASK.match("TASK [outrider : Write it] ******")[1] == "outrider"
    assert TASK.match("RUNNING HANDLER [authd : Restart authd] ***")[1] == "authd"


def test_packages_come_from_the_roles(tmp_path):
    for role, text in {
        "a": "a_packages: [postfix]\na_packages_12: [old]\na_packages_13: [new]\na_packages_note: no list\n",
        "b": "---\n# nothing\n",
        "c": "c_packages: [postfix, nginx]\nc_other: [not-a-package]\n",
    }.items():
        (tmp_path / role / "defaults").mkdir(parents=True)
        (tmp_path / role / "defaults" / "main.yml").write_text(text)
    assert playbook_packages("12", tmp_path) == ["nginx", "old", "postfix"]
    assert playbook_packages("13", tmp_path) == ["new", "nginx", "postfix"]


def test_sources_follow_the_machine_s_mirror():
    assert Mirror("http://m/debian", None).sources("trixie") == [
        "deb http://m/debian trixie main",
        "deb http://m/debian trixie-updates main",
    ]
    assert Mirror("http://m/d", "http://m/s").sources("bookworm")[2] == "deb http://m/s bookworm-security main"


def test_releases():
    assert release_named("13") == "13"
    with pytest.raises(ValueError, match="11"):
        release_named("11")
