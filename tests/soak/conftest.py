"""Long runs: `make soak`. The suite has the same tests with small numbers."""

from collections.abc import Iterator

import pytest

from demo.namespaces import Namespace
from kit.needs import need_root
from kit.postgresql import RELEASE, Cluster, cluster_layer


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL in a root of its own, with no network but its own; reached over its socket."""
    need_root()
    space = Namespace("soak")
    made = Cluster(tmp_path_factory.mktemp("cluster-"), cluster_layer(RELEASE), space.net, RELEASE)
    yield made
    made.close()
    space.close()
