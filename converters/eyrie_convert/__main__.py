"""``python -m eyrie_convert``."""

import sys

from eyrie_convert.cli import main

sys.exit(main())
