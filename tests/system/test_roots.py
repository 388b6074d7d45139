"""The ground everything else stands on: roots boot, reboot, resolve, and leave nothing behind."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from demo import layers
from demo.bare import base
from demo.commands import CommandFailed, call
from demo.engine import ENGINES, installed
from demo.layers import ensure
from demo.namespaces import Namespace
from demo.root import Root
from kit.needs import missing, need_root


def test_boots_and_is_running(bare_host):
    assert bare_host.run(["systemctl", "is-system-running"]).stdout.strip() == "running"
    assert bare_host.run(["sh", "-c", ". /etc/os-release; echo $VERSION_ID"]).stdout.strip() == bare_host.release


def test_a_fresh_root_differs_in_nothing(bare_host):
    assert set(bare_host.changed_files()) <= {"etc/hostname"}


def test_commands_hand_on_input_status_and_a_clean_environment(bare_host, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_MACHINE", "1")
    assert bare_host.run(["cat"], input="ä\n").stdout == "ä\n"
    assert bare_host.run(["sh", "-c", "exit 7"], check=False).returncode == 7
    assert "SECRET_OF_THE_MACHINE" not in bare_host.run(["env"]).stdout
    with pytest.raises(CommandFailed, match="ended with 1"):
        bare_host.run(["false"])


def test_names_are_known_everywhere_and_only_ours(bare_host):
    for resolve in (bare_host.run, bare_host.client):
        answer = resolve(["getent", "ahosts", "mail.provider.example"]).stdout
        assert all(address in answer for address in bare_host.addresses)
        assert resolve(["getent", "hosts", "debian.org"], check=False).returncode == 2
        assert "mail.provider.example" in resolve(["getent", "hosts", bare_host.addresses[0]]).stdout


def test_a_zone_is_served_as_soon_as_it_is_added(bare_host):
    bare_host.dns.add("provider.example", "added A 10.77.0.99")
    bare_host.dns.add("new.example", "@ A 10.77.0.98")
    bare_host.dns.add("new.example", "more A 10.77.0.97")
    names = ("added.provider.example", "new.example", "more.new.example")
    found = [bare_host.client(["getent", "ahostsv4", name]).stdout.split()[0] for name in names]
    assert found == ["10.77.0.99", "10.77.0.98", "10.77.0.97"]
    with pytest.raises(CommandFailed):
        bare_host.dns.add("broken.example", "@ NONSENSE")


def test_client_trusts_the_demo_and_the_machine_does_not_change(bare_host):
    ca = bare_host.papers.ca
    verify = ["openssl", "verify", "-CApath", "/etc/ssl/certs", str(bare_host.papers.certificate)]
    assert bare_host.client(verify).returncode == 0
    assert ca.read_text() in bare_host.client(["cat", "/etc/ssl/certs/ca-certificates.crt"]).stdout
    assert call(verify, check=False).returncode != 0
    assert "10.77.0.1" not in Path("/etc/resolv.conf").read_text()


def test_nothing_beyond_the_hub_is_reachable_and_nothing_hangs(bare_host):
    script = "import socket; socket.create_connection(('192.0.2.1', 25), 5)"
    refused = bare_host.run(["python3", "-c", script], check=False)
    assert "No route to host" in refused.stderr


def test_reboot_keeps_files_and_comes_back(bare_host):
    bare_host.run(["sh", "-c", "echo kept >/root/kept; cat /proc/sys/kernel/random/boot_id >/run/boot"])
    before = bare_host.world.root.pid1()
    bare_host.reboot()
    assert bare_host.world.root.pid1() != before
    assert bare_host.read("/root/kept") == b"kept\n"
    assert bare_host.run(["cat", "/run/boot"], check=False).returncode != 0
    assert bare_host.changed_files()["root/kept"] == "new"


def test_reboot_does_not_wait_for_a_command_from_outside(bare_host):
    sleeping = subprocess.Popen([*bare_host.provider.run_prefix, "sleep", "1000"])
    try:
        bare_host.world.root.run(["sh", "-c", "until pidof sleep; do sleep 0.1; done"])
        started = time.monotonic()
        bare_host.reboot()
        assert time.monotonic() - started < 45, "systemd waits 90 s for what it cannot end"
        assert sleeping.wait(10) != 0
    finally:
        sleeping.kill()
        sleeping.wait()


@pytest.fixture
def alone(tmp_path):
    """A root maker in a network of its own, for the machinery itself."""
    need_root()
    space = Namespace("alone")
    made = []

    def make(engine="nspawn", layer=None):
        folder = tmp_path / f"root{len(made)}"
        ground = layer or base("12", print)
        root = Root(folder, ground, name="alone", hostname="alone.example", engine=engine, netns=space.net)
        made.append(root)
        return root

    yield make
    for root in made:
        root.discard()
    space.close()


def cgroups_of(pid):
    """The folders of the cgroup that a root lives in, wherever cgroup2 is mounted."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    name = next(line.removeprefix("0::/").split("/")[0] for line in lines if line.startswith("0::"))
    tops = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
    return [top / name for top in tops if name and (top / name).exists()]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_boots_reboots_and_powers_off(alone, engine):
    if not installed(ENGINES[engine]):
        missing(f"engine {engine}")
    root = alone(engine)
    root.up()
    cgroups = cgroups_of(root.pid1())
    assert cgroups
    root.reboot()
    keeper = root.keeper.pid
    root.down(clean=True)
    assert not Path(f"/proc/{keeper}").exists()
    assert not any(path.exists() for path in cgroups)


def test_frozen_layer_is_a_ground_to_stand_on(alone, tmp_path):
    root = alone()
    root.up()
    root.run(["sh", "-c", "echo frozen >/etc/frozen; rm /etc/hosts; chmod 600 /etc/fstab"])
    tree = tmp_path / "frozen" / "tree"
    tree.mkdir(parents=True)
    root.freeze(tree)
    (tree.parent / "id").write_text("test")
    ground = type(root.layer)(tree.parent, tuple(root.layer.stack))
    again = alone(layer=ground)
    again.up()
    assert again.run(["cat", "/etc/frozen"]).stdout == "frozen\n"
    assert again.run(["test", "-e", "/etc/hosts"], check=False).returncode == 1
    again.run(["sh", "-c", "rm -r /etc/cron.d /etc/apt; mkdir /etc/apt"])
    again.run(["sh", "-c", "rm /etc/frozen; echo x >/etc/hosts; chmod 644 /etc/fstab; chown 1 /etc/passwd"])
    changes = again.changed_files()
    assert changes["etc/apt/sources.list"] == changes["etc/cron.d"] == "deleted"
    wanted = {"etc/frozen": "deleted", "etc/hosts": "new", "etc/fstab": "mode", "etc/passwd": "owner"}
    assert {path: changes.get(path) for path in wanted} == wanted


def test_nothing_survives_its_keeper(alone):
    root = alone()
    root.up()
    pid1 = root.pid1()
    cgroups = cgroups_of(pid1)
    gone = os.pidfd_open(pid1)
    os.kill(root.keeper.pid, signal.SIGKILL)
    root.keeper.wait()
    assert select.select([gone], [], [], 10)[0]
    os.close(gone)
    assert root.run(["true"], check=False).returncode != 0
    root.down()
    root.up()  # the next keeper sweeps up what the killed one could not
    assert not any(path.exists() for path in cgroups)


def test_a_layer_that_failed_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTRIDER_CACHE", str(tmp_path))

    def fail(tree):
        (tree / "half").touch()
        raise CommandFailed("no")

    with pytest.raises(CommandFailed):
        ensure("trial", "12", ["a"], None, fail, print)
    built = ensure("trial", "12", ["a"], None, lambda tree: (tree / "whole").touch(), print)
    assert sorted(path.name for path in built.tree.iterdir()) == ["whole"]
    assert ensure("trial", "12", ["a"], None, fail, print).id == built.id
    for folder in [folder for folder in layers.HELD if tmp_path in folder.parents]:
        layers.HELD.pop(folder).close()  # as if this process had ended
    for part in "bcd":
        ensure("trial", "12", [part], None, lambda tree: None, print)
    assert len(list((tmp_path / "layers").iterdir())) == 3, "what this process asked for stays"
    assert not built.folder.exists()
