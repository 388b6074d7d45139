"""Tests on booted hosts: fixtures `release`, `host`, `fresh_host`, `bare_host` (kit.plugin)."""

from kit.directories import directories, directory_host
from kit.plugin import (
    bare_host,
    fresh_host,
    host,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_report_header,
    release,
)
from kit.postgresql import cluster, postgresql_host

__all__ = [
    "bare_host",
    "cluster",
    "directories",
    "directory_host",
    "fresh_host",
    "host",
    "postgresql_host",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_report_header",
    "release",
]
