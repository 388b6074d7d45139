"""What ansible-playbook needs to reach roots: a folder with ansible.cfg, an inventory, and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from demo.places import CHECKOUT

CONFIGURATION = """[defaults]
inventory = {folder}/inventory.ini
connection_plugins = {checkout}/demo/ansible_plugins
roles_path = {checkout}/ansible/roles
local_tmp = {folder}/tmp
remote_tmp = /tmp/.ansible
host_key_checking = False
retry_files_enabled = False
forks = 2
gathering = smart
interpreter_python = /usr/bin/python3
nocows = True

[connection]
pipelining = True
"""


def write_inventory(folder: Path, hosts: Mapping[str, Path]) -> dict[str, str]:
    """Write the folder for `hosts` (name -> run program); returns the environment for ansible-playbook."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ansible.cfg").write_text(CONFIGURATION.format(folder=folder, checkout=CHECKOUT))
    rows = "".join(f"{name} ansible_connection=root root_run={run}\n" for name, run in hosts.items())
    (folder / "inventory.ini").write_text(f"[mail]\n{rows}")
    named = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home"), "LC_ALL": "C.UTF-8"}
    return {**os.environ, **named}
