"""The browser that tests of pages use."""

import shutil

# The first is the same engine without what draws windows: faster, and it ends when it is told to.
# The renderers of the others have been seen to go on for ever at full load.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
