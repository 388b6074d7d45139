"""What ansible-playbook needs to reach roots: ansible.cfg, an inventory with its variables, and the environment."""

from __future__ import annotations

import json
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


def write_inventory(folder: Path, hosts: Mapping[str, Path], variables: Mapping[str, object]) -> dict[str, str]:
    """Write the folder for `hosts` (name -> run program); returns the environment for ansible-playbook.

    The variables are those of the group, so that an operator's own way of setting them is what gets tested.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ansible.cfg").write_text(CONFIGURATION.format(folder=folder, checkout=CHECKOUT))
    rows = "".join(f"{name} ansible_connection=root root_run={run}\n" for name, run in hosts.items())
    (folder / "inventory.ini").write_text(f"[mail]\n{rows}")
    (folder / "group_vars").mkdir(exist_ok=True)
    (folder / "group_vars" / "mail.json").write_text(json.dumps(variables, indent=1))
    named = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home"), "LC_ALL": "C.UTF-8"}
    return {**os.environ, **named}
