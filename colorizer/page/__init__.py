"""The local page: Gradio in front of the jobs that colorize.py runs."""

import inspect


def _no_source(_):
    raise OSError


# Gradio reads the source of all its components to write stubs for editors, a third of its import.
# It skips components without a source file.
_getfile, inspect.getfile = inspect.getfile, _no_source
try:
    import gradio  # noqa: F401
finally:
    inspect.getfile = _getfile

from colorizer.page.serve import main  # noqa: E402

__all__ = ["main"]
