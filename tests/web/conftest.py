"""The page of web/, built once, in Debian's Chromium without a window."""

import functools
import http.server
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from browser import CHROMIUM
from onnx import TensorProto, helper, numpy_helper
from visitor import PATIENCE, ROOT, Visitor

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="the page is tested with Playwright (requirements-dev.txt)"
)
sync_api.expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items):
    """Build once: all of these tests run in one process."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.xdist_group("web"))
        # In a run of all tests with two workers a renderer and Playwright's driver have been seen
        # to go on for ever at full load; alone, these tests never did.
        if item.path.name != "test_web_sources.py":
            item.add_marker(pytest.mark.slow)
        if not CHROMIUM:
            item.add_marker(pytest.mark.skip("the page is tested in Chromium; install `chromium`"))
        elif not shutil.which("npm"):
            item.add_marker(pytest.mark.skip("the page is built with npm; install `npm`"))


def build(folder, *flags):
    command = [sys.executable, str(ROOT / "web/build.py"), "--output", str(folder), *flags]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Build the page as it ships; return the folder with colorize.html and site/."""
    return build(tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="session")
def light(tmp_path_factory):
    """Build the page with a network that paints what it is told, and all else in one colour."""
    folder = tmp_path_factory.mktemp("light")
    onnx.save(echo(), folder / "echo.onnx")
    return build(folder, "--network", str(folder / "echo.onnx"))


def echo():
    """Return a network of the page's contract that answers at once."""
    sides = ["batch", "height", "width"]
    half = ["batch", "half_height", "half_width"]
    inputs = [
        helper.make_tensor_value_info("grayscale", TensorProto.FLOAT, [*sides, 1]),
        helper.make_tensor_value_info("known", TensorProto.FLOAT, [*half, 3]),
    ]
    output = helper.make_tensor_value_info("chroma", TensorProto.FLOAT, [*half, 2])
    constants = {"parts": np.array([2, 1]), "unit": np.float32([110]), "one": np.float32([1])}
    constants["alone"] = np.float32([8, 12])
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    nodes = [
        helper.make_node("Split", ["known", "parts"], ["colour", "mask"], axis=3),
        helper.make_node("Mul", ["colour", "unit"], ["told"]),
        helper.make_node("Sub", ["one", "mask"], ["unknown"]),
        helper.make_node("Mul", ["unknown", "alone"], ["painted"]),
        helper.make_node("Add", ["told", "painted"], ["chroma"]),
    ]
    graph = helper.make_graph(nodes, "echo", inputs, [output], weights)
    opset = helper.make_opsetid("", 15)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A host of static files that tells nobody of it."""

    def log_message(self, *said):
        pass


@pytest.fixture(scope="session")
def site(built):
    """Serve the site, as any host of static files would, and return its address."""
    handler = functools.partial(Quiet, directory=built / "site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def visits(browser):
    """Open pages, each in a browser of its own; at the end nothing may have gone wrong there."""
    visitors = []

    def visits(address, **settings):
        visitors.append(Visitor(browser, address, **settings))
        return visitors[-1]

    yield visits
    for visitor in visitors:
        visitor.context.close()
        assert not visitor.errors
        own = ("file:///", "blob:", "data:", "http://127.0.0.1:")
        assert not [url for url in visitor.requests if not url.startswith(own)]


@pytest.fixture
def visit(visits, light):
    """Return a function that opens the page with a network that is as fast as can be."""
    return functools.partial(visits, (light / "colorize.html").as_uri())


@pytest.fixture
def visit_shipped(visits, built):
    """Return a function that opens the page as it ships."""
    return functools.partial(visits, (built / "colorize.html").as_uri())
