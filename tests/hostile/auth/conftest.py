"""Fixtures of the numbered cases of attack and bad input."""

from kit.authd_house import house

__all__ = ["house"]
