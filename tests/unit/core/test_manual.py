"""What is committed under docs/ is what the settings classes and the command tree say."""

import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest

from outrider.manual import documents
from outrider.settings import read_configuration

DOCS = Path(__file__).resolve().parents[3] / "docs"
PACKAGES = ("outrider", "authd", "policy", "hkpd")


@pytest.mark.parametrize("name", sorted(documents()))
def test_committed_as_generated(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == documents()[name], "run `make manual`"


def test_the_sample_is_read_with_every_key_switched_on(tmp_path: Path) -> None:
    """Every commented line of the sample is valid at its place, so that an operator may take the # away."""
    text = documents()["outrider.toml"]
    lines = [
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in text.splitlines()
    ]
    path = tmp_path / "outrider.toml"
    path.write_text("\n".join(lines))
    assert set(tomllib.loads(path.read_text())) == {*PACKAGES, "directory"}
    read_configuration(path)


def test_names_of_our_packages_are_ours_alone() -> None:
    """Bare top-level names: nobody else's distribution may bring them, nor the standard library."""
    brought = importlib.metadata.packages_distributions()
    for name in PACKAGES:
        assert set(brought.get(name, ["outrider"])) == {"outrider"}  # an editable install lists none
        assert name not in sys.stdlib_module_names
