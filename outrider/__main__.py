"""`python -m outrider`: the command line."""

import sys

from outrider.cli import main

sys.exit(main())
