# SPDX-License-Identifier: Apache-2.0
"""Makes the training code importable: it is a folder that is run, and no part of the installed package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
