"""Tests on booted hosts: fixtures `release`, `host`, `fresh_host`, `bare_host` (kit.plugin)."""

from kit.plugin import bare_host, fresh_host, host, pytest_collection_finish, pytest_report_header, release

__all__ = ["bare_host", "fresh_host", "host", "pytest_collection_finish", "pytest_report_header", "release"]
