"""`python -m authd` is `outrider-authd`."""

import sys

from authd.main import main

sys.exit(main())
