"""A provider's host in a test: a World of the demo, with the verbs that tests need."""

import itertools
import json
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo.authority import authority
from demo.layers import Layer
from demo.names import HOST, six
from demo.people import Codes, add_user, protect
from demo.places import Release
from demo.play import Outcome, play, variables
from demo.provider import Demo, Exchange, Provider, User
from demo.world import World
from kit import programs
from kit.leaks import Secrets

NUMBERS = itertools.count(1)
SQL = """
import json, sqlite3, sys
statement, values = json.load(sys.stdin)
with sqlite3.connect("/var/lib/outrider/outrider.db", timeout=10) as database:
    json.dump(database.execute(statement, values).fetchall(), sys.stdout)
"""
AS_OWNER = ["setpriv", "--reuid=outrider", "--regid=outrider", "--clear-groups"]


class Remembering(Provider):
    """The provider as everybody reaches it, who notes every secret that passes."""

    def __init__(self, provider: Provider, secrets: Secrets) -> None:
        super().__init__(provider.run_prefix, provider.client_prefix, provider.outside_prefix, provider.sink)
        self.secrets = secrets

    def outrider(self, *words: str, text: str | None = None) -> Any:
        match words:
            case ("user", "add" | "password", account, *_) if text:
                self.secrets.login(account, text.strip())
            case ("token", "confirm", *_) if text:
                self.secrets.code(text.strip())
        answer = super().outrider(*words, text=text)
        match words:
            case ("token", "add", *_):
                self.secrets.totp(answer["secret"])
            case ("app-password", "add", account, *_):
                self.secrets.login(account, answer["secret"])
        return answer

    def talk(self, job: dict[str, Any], *, outside: bool = False) -> Exchange:
        self.note(job)
        return super().talk(job, outside=outside)

    def note(self, job: dict[str, Any]) -> None:
        if job.get("login"):
            self.secrets.login(*job["login"])


class Host:
    """One booted host on a throw-away upper, with its own bridge, name server, client and outside world."""

    addresses = (HOST, six(HOST))

    def __init__(self, release: Release, folder: Path, layer: Layer) -> None:
        self.release = release
        self.folder = folder
        self.papers = authority()
        self.secrets = Secrets()
        self.world = World(folder, layer, print, authority=self.papers.ca)
        try:
            self.world.up()
        except BaseException:
            self.world.close()
            raise

    @property
    def provider(self) -> Remembering:
        """Mail programs, the `outrider` command, mail from outside: see demo.provider."""
        return Remembering(self.world.provider, self.secrets)

    def talk_all(
        self, jobs: Sequence[programs.Job], *, parallel: int = 8, together: bool = False, outside: bool = False
    ) -> list[programs.Told]:
        """Many mail programs at once (kit.programs makes the jobs): `parallel`, or all from the same moment on."""
        provider = self.provider
        for job in jobs:
            provider.note(job)
        prefix = provider.outside_prefix if outside else provider.client_prefix
        return programs.run(prefix, jobs, parallel=parallel, together=together)

    @property
    def dns(self):
        """The name server; `dns.add(zone, lines)` serves more."""
        return self.world.bridge.dns

    def run(self, command: Sequence[str], *, input: str | None = None, check: bool = True, seconds: float = 120.0):
        """A command inside as root; the completed process. CommandFailed unless it ends with 0 or check=False."""
        return self.world.root.run(list(command), text=input, check=check, seconds=seconds)

    def client(self, command: Sequence[str], *, input: str | None = None, check: bool = True):
        """A program of this machine in the client's network."""
        done = subprocess.run(
            [*self.provider.client_prefix, *command],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def read(self, path: str) -> bytes:
        """A file inside, as the machine sees it."""
        return (self.world.root.folder / "merged" / path.lstrip("/")).read_bytes()

    def log(self, unit: str | None = None) -> str:
        """The journal of this boot, of one unit if named."""
        choice = [f"--unit={unit}"] if unit else []
        return self.run(["journalctl", "--boot", "--no-pager", "--output=short-iso-precise", *choice]).stdout

    def restart(self, unit: str) -> None:
        self.run(["systemctl", "restart", unit])

    def reboot(self) -> None:
        self.world.root.reboot()

    def changed_files(self) -> dict[str, str]:
        """What differs from the layer it started from, as {path: how}."""
        return self.world.root.changed_files()

    def play(self, *options: str, extra: dict[str, object] | None = None) -> Outcome:
        """Run the playbook against this host, with the demo's variables and `extra`."""
        chosen = {**variables(self.release, print), **(extra or {})}
        return play(self.folder / "ansible", {"host": self.world.root.run_script}, chosen, print, options=options)

    def user(self, name: str | None = None) -> User:
        """A new account at level 0 with a name nobody else uses."""
        local = name or f"u{next(NUMBERS)}-{secrets.token_hex(3)}"
        return add_user(self.provider, f"{local}@provider.example")

    def protected_user(self, level: int | None = 4) -> tuple[User, Codes]:
        """A new account with a confirmed TOTP token, an app password and the level; and its unused codes."""
        user = protect(self.provider, self.user(), level=level)
        assert user.totp_secret
        return user, Codes(user.totp_secret)

    def sql(self, statement: str, *values: object) -> list[list[Any]]:
        """One statement in the database, as its owner; the rows. Waits for it if somebody else writes."""
        done = self.run([*AS_OWNER, "python3", "-c", SQL], input=json.dumps([statement, values]))
        rows: list[list[Any]] = json.loads(done.stdout)
        return rows

    def demo(self, users: list[User]) -> Demo:
        """What DIR/demo.json would say of this host."""
        provider = self.provider
        return Demo(
            release=self.release,
            domain="provider.example",
            external_domain="customer.example",
            disposable_domain="tmp.provider.example",
            run=provider.run_prefix,
            client=provider.client_prefix,
            outside=provider.outside_prefix,
            ca=str(self.papers.ca),
            ports={},
            users=users,
            aliases=[],
            mail_root=str(self.world.root.folder / "merged/var/vmail"),
            logs=[],
            sink=str(provider.sink),
        )

    def close(self) -> None:
        self.world.close()
