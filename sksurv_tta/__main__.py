"""``python -m sksurv_tta`` is ``sksurv-tta``."""

import sys

from sksurv_tta.cli import main

sys.exit(main())
