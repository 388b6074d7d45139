"""The configuration file: TOML, one section per daemon, read into frozen dataclasses.

A section is a dataclass whose fields are made with `setting(default, help=…)`; the class is the format, its check
and its documentation (the sample file and the manual page are generated from it). Every error names file, section
and key. Secrets never stand in the file: a value `credential:NAME` is the name of a file (see `credential`).

    SettingsError    the file is missing, is not TOML, or a value does not fit; a daemon ends with exit status 2
"""

import dataclasses
import os
import tomllib
import types
import typing
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, TypeVar

from outrider.db.address import read_address

DEFAULT_PATH = Path("/etc/outrider/outrider.toml")
SECRETS = Path("/etc/outrider/secrets")

Section = TypeVar("Section")

_REQUIRED: Any = object()


class SettingsError(Exception):
    """What is wrong with the configuration, with file, section and key."""


def setting(default: Any = _REQUIRED, *, help: str) -> Any:
    """Declare one key of a section; `help` is one line with unit and limits."""
    if default is _REQUIRED:
        return dataclasses.field(metadata={"help": help})
    return dataclasses.field(default=default, metadata={"help": help})


@dataclasses.dataclass(frozen=True)
class CoreSettings:
    """What all daemons share."""

    domain: str = setting(help="The provider's own mail domain.")
    hostname: str = setting(help="Name of this mail host, as in its certificate.")
    database: str = setting(
        "sqlite:/var/lib/outrider/outrider.db",
        help="`sqlite:PATH`, or `postgresql://USER@HOST[,HOST2]/NAME` (password in `database_password`).",
    )
    database_password: str = setting("", help="`credential:NAME` of the file with PostgreSQL's password; empty = none.")
    opaque_domain: str = setting("", help="Domain of random addresses that hide an owner; empty = `b.` + domain.")
    language: Literal["de", "en"] = setting("en", help="Language of accounts that have not chosen one.")
    notice_sender: str = setting("", help="Address in From of notices to users; empty = `postmaster@` + domain.")
    notice_relay: str = setting("127.0.0.1:25", help="HOST:PORT where notices are handed to Postfix.")

    def __post_init__(self) -> None:
        if not self.opaque_domain:
            object.__setattr__(self, "opaque_domain", f"b.{self.domain}")
        if not self.notice_sender:
            object.__setattr__(self, "notice_sender", f"postmaster@{self.domain}")
        if not self.database.startswith(("sqlite:", "postgresql://")):
            raise ValueError("database: expected sqlite:PATH or postgresql://…")
        if self.database.startswith("postgresql:"):
            try:
                read_address(self.database)
            except ValueError as error:
                raise ValueError(f"database: {error}") from None


@dataclasses.dataclass(frozen=True)
class Configuration:
    """The parsed file; a daemon takes its sections out of it."""

    path: Path
    tables: dict[str, Any]

    def section(self, name: str, cls: type[Section]) -> Section:
        """The section as `cls`; a missing section is an empty one."""
        return build(cls, self.tables.get(name, {}), f"{self.path}: [{name}]")


def read_configuration(path: Path | None = None) -> Configuration:
    """Read the file that --config or OUTRIDER_CONFIG names, else /etc/outrider/outrider.toml."""
    path = path or Path(os.environ.get("OUTRIDER_CONFIG", DEFAULT_PATH))
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    known = section_classes()
    for name, table in tables.items():
        if name not in known:
            raise SettingsError(f"{path}: [{name}]: unknown section; known are {', '.join(sorted(known))}")
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: {name}: expected a section [{name}]")
    return Configuration(path, tables)


def section_classes() -> dict[str, str]:
    """Names of all sections and where their classes are, from the entry points `outrider.settings`."""
    return {point.name: point.value for point in entry_points(group="outrider.settings")}


def credential(reference: str) -> Path:
    """The file that `credential:NAME` means: $CREDENTIALS_DIRECTORY/NAME, else /etc/outrider/secrets/NAME.

    systemd.exec(5), LoadCredential=: the directory is readable for the unit's user alone.
    """
    scheme, _, name = reference.partition(":")
    if scheme != "credential" or not name or "/" in name:
        raise SettingsError(f"expected credential:NAME, found {scheme}:…")
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return (Path(directory) if directory else SECRETS) / name


def build(cls: type[Section], table: Any, place: str) -> Section:
    """Make a settings dataclass of a TOML table; `place` begins every error."""
    if not isinstance(table, dict):
        raise SettingsError(f"{place}: expected a table, found {shown(table)}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise SettingsError(f"{place} {key}: unknown setting")
    values = {key: convert(hints[key], value, f"{place} {key}") for key, value in table.items()}
    missing = [name for name, field in fields.items() if name not in values and is_required(field)]
    if missing:
        raise SettingsError(f"{place} {missing[0]}: missing, and it has no default")
    try:
        return cls(**values)
    except ValueError as error:
        raise SettingsError(f"{place} {error}") from None


def is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def convert(kind: Any, value: Any, place: str) -> Any:
    """A TOML value as the field's type; never turns one type into another."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if value in arguments:
            return value
        raise SettingsError(f"{place}: expected one of {', '.join(map(repr, arguments))}, found {shown(value)}")
    if origin in (typing.Union, types.UnionType):
        return convert(next(one for one in arguments if one is not type(None)), value, place)
    if origin is tuple:
        if not isinstance(value, list):
            raise SettingsError(f"{place}: expected a list, found {shown(value)}")
        return tuple(convert(arguments[0], one, f"{place}[{number}]") for number, one in enumerate(value))
    if dataclasses.is_dataclass(kind):
        return build(typing.cast(type[Any], kind), value, place)
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    raise SettingsError(f"{place}: expected {NAMES.get(kind, kind)}, found {shown(value)}")


NAMES = {str: "a text", int: "a whole number", bool: "true or false", float: "a number"}
SHOWN_CHARACTERS = 60  # enough to recognise a value in a one-line error


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
