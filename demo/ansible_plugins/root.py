"""Ansible connection into a root of the demo: every command goes through the root's `run` program (nsenter)."""

from __future__ import annotations

import subprocess
from typing import Any

from ansible.plugins.connection import ConnectionBase  # type: ignore[import-untyped]

DOCUMENTATION = """
name: root
short_description: Run in a booted root of the demo
description: Enters the namespaces of the root's process 1; nothing has to be installed in the root.
author: Outrider
options:
  run:
    description: The root's run program.
    type: path
    required: true
    vars:
      - name: root_run
"""


class Connection(ConnectionBase):  # type: ignore[misc]
    """nsenter as a transport."""

    transport = "root"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def inside(self, script: str, data: bytes | None) -> subprocess.CompletedProcess[bytes]:
        feed: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
        return subprocess.run(
            [self.get_option("run"), "/bin/sh", "-c", script], capture_output=True, check=False, **feed
        )

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        done = self.inside(cmd, in_data)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        with open(in_path, "rb") as source:
            self.checked(f"cat >{self._shell.quote(out_path)}", source.read())

    def fetch_file(self, in_path: str, out_path: str) -> None:
        with open(out_path, "wb") as target:
            target.write(self.checked(f"cat {self._shell.quote(in_path)}", None))

    def checked(self, script: str, data: bytes | None) -> bytes:
        done = self.inside(script, data)
        if done.returncode:
            raise OSError(f"{script}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def close(self) -> None:
        self._connected = False
