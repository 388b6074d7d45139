"""The operator's own directories: people who exist already, read in place and never written.

    LDAP ─────── ldap ───┐
                         ├── source ── joined ── outrider.directory.Directory
    SQL ─── foreign ─────┘                │
                                     our database: account ids, aliases, tombstones, ends

Reading order: source (what a directory tells), joined (with what of ours), people (what can be changed); presets; then
queries, engines, foreign (SQL); entries, ldap, binds (LDAP). `directory_maker` is what daemons and commands use.

RFC 4511 to 4515 (LDAP), RFC 4532 (whoami), RFC 4530 (entryUUID).
"""

from collections.abc import Callable

from outrider.db import Database
from outrider.directories.joined import JoinedDirectory
from outrider.directories.settings import DirectorySettings
from outrider.directories.source import Source
from outrider.directory import Directory, SqlDirectory
from outrider.settings import Configuration, CoreSettings, SettingsError, credential

__all__ = ["directory_maker", "open_directory"]


def open_directory(configuration: Configuration, database: Database) -> Directory:
    """The directory of the configuration file; opens nothing yet. SettingsError: it cannot be."""
    return directory_maker(configuration)(database)


def directory_maker(configuration: Configuration) -> Callable[[Database], Directory]:
    """The same in two steps: the password is read at once (root may, its successor may not)."""
    core = configuration.section("outrider", CoreSettings)
    settings = configuration.section("directory", DirectorySettings)
    if settings.kind == "sql":
        return lambda database: SqlDirectory(database, core.opaque_domain)
    try:
        password = credential(settings.password).read_text().strip() if settings.password else ""
    except OSError as error:
        raise SettingsError(f"{configuration.path}: [directory] password: {error.strerror}") from None
    try:
        source = open_source(settings, password)
    except ValueError as error:
        raise SettingsError(f"{configuration.path}: [directory] {error}") from None
    return lambda database: JoinedDirectory(database, source, core.opaque_domain, core.language)


def open_source(settings: DirectorySettings, password: str) -> Source:
    """The source that the settings name. ValueError: what is missing."""
    if settings.kind == "ldap":
        from outrider.directories.ldap import open_ldap  # noqa: PLC0415 - python-ldap is there for who uses it

        return open_ldap(settings, password)
    from outrider.directories.foreign import open_foreign  # noqa: PLC0415

    return open_foreign(settings, password)
