"""``python -m sksurv_tta`` is ``sksurv-tta``."""

import sys

from sksurv_tta.cli import main

if __name__ == "__main__":  # worker processes import this file too, and must not run the command again
    sys.exit(main())
