"""python -m hkpd"""

import sys

from hkpd.main import main

sys.exit(main())
