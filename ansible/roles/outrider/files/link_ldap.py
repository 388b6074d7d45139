"""Link Debian's python-ldap into a virtual environment of the same Python. Prints what was linked anew.

Its updates come from Debian then, no compiler is needed on the host, and nothing else of Debian's modules is seen.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

site = Path(sys.argv[1]) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
for module in ("ldap", "_ldap", "ldapurl", "ldif", "pyasn1", "pyasn1_modules"):
    found = find_spec(module)
    if found is None or found.origin is None:
        sys.exit(f"{module}: not installed")
    origin = Path(found.origin)
    source = origin.parent if origin.stem == "__init__" else origin
    link = site / source.name
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(source)
        print(link)
