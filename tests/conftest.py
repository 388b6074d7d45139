"""Fixtures for the whole suite.

The checkout comes last on the path: the packages are those of the wheel under test, only `demo`, which no wheel
holds, is found in the tree.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

pytest_plugins = ["kit.databases"]
