"""Fixtures of authd's tests."""

from kit.authd_house import house

__all__ = ["house"]
