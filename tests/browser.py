"""The browser that tests of pages use."""

import shutil

# The first is the same engine without what draws windows, and the faster for it.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
