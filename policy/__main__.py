"""python -m policy"""

import sys

from policy.main import main

sys.exit(main())
