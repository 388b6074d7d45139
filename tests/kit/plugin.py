"""Fixtures over the demo's hosts, for a folder's conftest to import.

release      "12" and "13", or those that OUTRIDER_RELEASES names
host         a converged host per release for the whole session: tests use accounts of their own and leave it running
fresh_host   a converged host for one test that breaks things
bare_host    a bare Debian on a bridge, for one module

Layers are built in the background from the start of the session, both releases at once, only for tests that want them.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from demo.bare import bare
from demo.layers import Layer
from demo.places import RELEASES, Release, release_named
from demo.probe import choose_engine
from demo.stages import converged
from kit.hosts import Host
from kit.needs import need_root

WANTED = tuple(release_named(name) for name in os.environ.get("OUTRIDER_RELEASES", ",".join(RELEASES)).split(","))
STAGES = {"host": converged, "fresh_host": converged, "bare_host": bare}
building: dict[tuple[str, Release], Future[Layer]] = {}
pool = ThreadPoolExecutor(len(RELEASES), thread_name_prefix="layers")


def pytest_report_header() -> str:
    if os.geteuid() != 0:
        return "roots: none without root"
    try:
        return f"roots: {choose_engine(print)}, releases {', '.join(WANTED)}"
    except Exception as trouble:  # the header must not end the run; the tests will say the same
        return f"roots: none ({trouble})"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `last` come after all others of their release: they look at what those have left on the host."""
    late = [item for item in items if item.get_closest_marker("last")]
    for item in late:
        items.remove(item)
        same = [number for number, other in enumerate(items) if released(other) == released(item)]
        items.insert(same[-1] + 1 if same else len(items), item)


def released(item: pytest.Item) -> Release | None:
    """The release that a test is for."""
    release: Release | None = getattr(item, "callspec", None) and item.callspec.params.get("release")
    return release


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start to build what the selected tests will ask for, release by release in the tests' order."""
    if os.geteuid() != 0 or session.config.option.collectonly:
        return
    for item in session.items:
        release = released(item)
        for fixture in STAGES.keys() & set(getattr(item, "fixturenames", ())) if release else ():
            stage = STAGES[fixture]
            if (stage.__name__, release) not in building:
                building[stage.__name__, release] = pool.submit(stage, release, print)


def layer(fixture: str, release: Release) -> Layer:
    """The layer, waited for."""
    need_root()
    return building[STAGES[fixture].__name__, release].result()


@pytest.fixture(scope="session", params=WANTED)
def release(request: pytest.FixtureRequest) -> Release:
    return request.param


@pytest.fixture(scope="session")
def host(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    made = Host(release, tmp_path_factory.mktemp(f"host{release}-"), layer("host", release))
    yield made
    made.close()


@pytest.fixture
def fresh_host(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    made = Host(release, tmp_path_factory.mktemp(f"fresh{release}-"), layer("fresh_host", release))
    yield made
    made.close()


@pytest.fixture(scope="module")
def bare_host(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    made = Host(release, tmp_path_factory.mktemp(f"bare{release}-"), layer("bare_host", release))
    yield made
    made.close()
