"""Where the data lie that the checkout does not hold; docs/building.md says which, and where they are to be had."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEST_DATA = pathlib.Path(os.environ.get("GESTALT_TEST_DATA") or ROOT / "../shared/data")
