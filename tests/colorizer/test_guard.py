"""Nobody gets in: what the page's server answers to requests that are not from its own page."""

import asyncio
import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path

from colorizer.errors import UserError

import pytest
import standins

pytest.importorskip("gradio", reason="the page needs Gradio (requirements-app.txt)")

from colorizer.page import guard, serve

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds until what does not end is an error
PNG = b"\x89PNG\r\n\x1a\n" + 100 * b"x"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return standins.save_echo(tmp_path_factory.mktemp("model") / "echo.onnx")


@pytest.fixture(scope="module")
def served(model):
    """Serve the page; gives its port and the folder of its files."""
    with serve.serving(serve.arguments().parse_args(["--model", str(model)])) as address:
        folder = Path(os.environ["GRADIO_TEMP_DIR"])
        yield types.SimpleNamespace(port=int(address.rstrip("/").rpartition(":")[2]), folder=folder)


@pytest.fixture
def ask(served):
    """Return a function that sends a request and returns the status, headers and the body."""

    def ask(path="/", method="GET", body=None, own=True, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
        host = f"127.0.0.1:{served.port}"
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if own and method == "POST":
            headers = {"Origin": f"http://{host}", "Content-Type": "application/json"} | headers
        # Refused, a body need not be taken to its end.
        with contextlib.suppress(BrokenPipeError):
            connection.request(method, path, body, {"Host": host} | headers)
        answer = connection.getresponse()
        result = answer.status, answer.headers, answer.read(10_000_000)
        connection.close()
        return result

    return ask


@pytest.fixture
def cookie(ask):
    """Return the cookie of a browser that opened the page."""
    return ask()[1]["Set-Cookie"].partition(";")[0]


def form(content=PNG, name="a.png"):
    """Return a form that uploads a file, and its Content-Type."""
    head = f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = b"--x\r\n" + head.encode() + content + b"\r\n--x--\r\n"
    return body, "multipart/form-data; boundary=x"


def held(served):
    """Return the bytes of all files that the server keeps."""
    return sum(path.stat().st_size for path in served.folder.rglob("*") if path.is_file())


# ------------------------------------------------------------------------- hosts and origins


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_page_is_served_under_its_own_names(ask, served, host):
    assert ask(Host=f"{host}:{served.port}")[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "192.168.1.2", "", "localhost.", "evil:80:80"],
)
@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/queue/data?session_hash=a"])
def test_a_name_that_leads_here_gets_nothing(ask, served, host, path):
    origin = f"http://{host}:{served.port}"
    status, headers, body = ask(path, Host=f"{host}:{served.port}", Origin=origin)
    assert status == 400
    assert b"is not served as" in body
    assert not [name for name in headers if name.lower().startswith("access-control")]


ROUTES = ("/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {},  # browsers say it with every POST
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "OWN", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "OWN", "Sec_Fetch_Site": "same-site"},
    ],
)
def test_pages_of_other_sites_post_nothing(ask, served, cookie, path, headers):
    own = f"http://127.0.0.1:{served.port}"
    headers = {name: value.replace("OWN", own) for name, value in headers.items()}
    body, kind = form()
    before = held(served)
    status, *_ = ask(path, "POST", body, own=False, Content_Type=kind, Cookie=cookie, **headers)
    assert status == 403
    assert held(served) == before


def test_pages_of_other_sites_read_nothing_and_may_link_here(ask):
    assert ask("/config", Sec_Fetch_Site="same-origin")[0] == 200
    assert ask("/config", Sec_Fetch_Site="cross-site")[0] == 403
    assert ask("/gradio_api/file=/etc/passwd", Sec_Fetch_Site="same-site")[0] == 403
    assert ask("/", Sec_Fetch_Site="cross-site")[0] == 200
    status, headers, _ = ask("/", "OPTIONS", Origin="http://evil.example")
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/", "/config", "/nothing"])
def test_every_answer_forbids_frames_sniffing_and_foreign_scripts(ask, path):
    _, headers, _ = ask(path)
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    for rule in ("default-src 'self'", "frame-ancestors 'none'", "object-src 'none'"):
        assert rule in policy.split("; ")
    assert "http" not in policy


# ------------------------------------------------------------------------- routes, files, URLs


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=https://example.org/a.png",
        "/gradio_api/file=HTTP://127.0.0.1/",
        "/gradio_api/file=//example.org/a.png",
        "/gradio_api/proxy=https://example.org/",
        "/gradio_api/info",
        "/gradio_api/runs",
        "/gradio_api/file/etc/passwd",
        "/monitoring",
        "/gradio_api/vibe-code/",
        "/docs",
        "/openapi.json",
        "/logout",
    ],
)
def test_routes_that_the_page_does_not_need_are_not_there(ask, path):
    assert ask(path)[0] in (403, 404)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", ROOT / "README.md", "app.py", "/proc/self/environ", "FOLDER/../lock"],
)
def test_no_other_file_is_served(ask, served, path):
    path = str(path).replace("FOLDER", str(served.folder))
    for written in (path, path.replace("/", "%2f"), path.replace("..", "%2e%2e")):
        assert ask(f"/gradio_api/file={written}")[0] in (403, 404)
    for route in ("static", "assets", "svelte"):
        for climb in ("../" * 12, "..%2f" * 12, "....//" * 12):
            status, _, body = ask(f"/{route}/{climb}{str(path).lstrip('/')}")
            assert status in (403, 404, 400)
            assert b"root:" not in body


@pytest.mark.parametrize(
    "file",
    [
        {"path": "https://example.org/a.png"},
        {"path": " http://127.0.0.1:1/"},
        {"path": "file:///etc/passwd"},
        {"path": "//example.org/a.png"},
        {"path": "/tmp/a.png", "url": "https://example.org/a.png"},
        {"path": None, "url": "https://example.org/a.png"},
        {"deeply": [{"nested": {"path": "ftp://example.org/a.png"}}]},
    ],
)
def test_no_file_is_named_by_a_url(ask, file):
    file = {"meta": {"_type": "gradio.FileData"}} | file
    body = json.dumps({"data": [[file]], "fn_index": 0, "session_hash": "a"})
    status, _, answer = ask("/gradio_api/queue/join", "POST", body)
    assert status == 400
    assert b"the page fetches none" in answer


def test_an_address_is_no_file_of_the_page_wherever_it_was_started(served, monkeypatch):
    monkeypatch.chdir(served.folder)
    foreign = {"path": "https://example.org/a.png"}
    assert guard._names_a_foreign_file(foreign, served.folder, "http://127.0.0.1:1/")


def test_the_pages_own_files_pass(served):
    own = f"http://127.0.0.1:{served.port}/"
    path = str(served.folder / "a.png")
    file = {"path": path, "url": f"{own}gradio_api/file={path}"}
    for data, foreign in (
        ({"data": [[file]]}, False),
        ({"path": path, "url": "blob:x"}, False),
        ({"path": path, "url": "relative.png"}, False),
        ({"data": [[file | {"path": "/etc/passwd"}]]}, True),
        ([{"a": file | {"url": "http://example.com/a.png"}}], True),
    ):
        assert guard._names_a_foreign_file(data, served.folder, own) == foreign


@pytest.mark.parametrize("body", [b"no JSON", b"[" * 100_000, b'{"a": ' * 100_000])
def test_what_is_no_request_is_refused(ask, body):
    assert ask("/gradio_api/queue/join", "POST", body)[0] == 400


def test_requests_may_not_be_large(ask, monkeypatch):
    monkeypatch.setattr(guard, "MAX_BODY", 1000)
    body = json.dumps({"data": ["x" * 1000]})
    assert ask("/gradio_api/queue/join", "POST", body)[0] == 413


def test_a_file_of_this_machine_cannot_be_opened_as_an_upload(ask, served):
    """A request names /etc/passwd where an upload belongs: every function of the page refuses."""
    config = json.loads(ask("/config")[2])
    for function in config["dependencies"]:
        file = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
        body = {
            "data": [[file]] * len(function["inputs"]),
            "fn_index": function["id"],
            "session_hash": "thief",
        }
        ask("/gradio_api/queue/join", "POST", json.dumps(body))
    copies = [path for path in served.folder.parent.rglob("passwd*") if path.is_file()]
    assert not copies


# ------------------------------------------------------------------------- uploads


def upload(ask, cookie, content=PNG, name="a.png", **headers):
    body, kind = form(content, name)
    return ask("/gradio_api/upload", "POST", body, Content_Type=kind, Cookie=cookie, **headers)


def test_an_upload_is_taken_from_who_opened_the_page(ask, served, cookie):
    status, _, body = upload(ask, cookie)
    assert status == 200
    (path,) = json.loads(body)
    assert Path(path).read_bytes() == PNG
    status, _, body = ask(f"/gradio_api/file={path}")
    assert (status, body) == (200, PNG)
    assert upload(ask, "")[0] == 403
    assert upload(ask, cookie.partition("=")[0] + "=stolen")[0] == 403


@pytest.mark.parametrize("name", ["page.html", "image.svg", "script.js"])
def test_uploads_are_never_shown_as_pages(ask, cookie, name):
    content = b"<script>alert(1)</script>" + name.encode()
    (path,) = json.loads(upload(ask, cookie, content, name)[2])
    _, headers, _ = ask(f"/gradio_api/file={path}")
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_browser_fills_its_quota_and_no_more_and_the_rest_can_go_on(
    ask, served, cookie, monkeypatch
):
    monkeypatch.setattr(guard, "BROWSER_QUOTA", 3000)
    assert upload(ask, cookie, 1500 * b"a")[0] == 200
    before = held(served)
    status, _, body = upload(ask, cookie, 1500 * b"b")
    assert status == 413
    assert b"The page takes" in body
    assert held(served) == before
    other = ask()[1]["Set-Cookie"].partition(";")[0]
    (path,) = json.loads(upload(ask, other, 1500 * b"c")[2])
    # What is removed makes room.
    Path(path).unlink()
    assert upload(ask, other, 1500 * b"d")[0] == 200


def test_all_browsers_have_a_quota_and_the_disk_keeps_room(ask, cookie, monkeypatch):
    monkeypatch.setattr(guard, "QUOTA", 10)
    assert upload(ask, cookie)[0] == 507
    monkeypatch.undo()
    monkeypatch.setattr(guard, "LEFT_FREE", 1 << 60)
    assert upload(ask, cookie)[0] == 507


def test_an_upload_of_unknown_length_is_refused(ask, served, cookie):
    """It is sent in chunks, and may never end."""
    before = held(served)
    body, kind = form()
    answer = ask("/gradio_api/upload", "POST", iter([body]), Content_Type=kind, Cookie=cookie)
    assert answer[0] == 411
    assert held(served) == before


def test_quotas_count_what_is_on_its_way():
    """Of two uploads at once, each of which fits, the second is refused."""
    begun, statuses = [], []

    async def application(scope, receive, send):
        begun.append(scope)
        await asyncio.wait_for(end.wait(), PATIENCE)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"[]"})

    async def send(message):
        statuses.append(message.get("status"))

    async def run():
        global end
        end = asyncio.Event()
        app = guard.Guard(application, "/", {"localhost"}, False, None, None)
        headers = {"host": "localhost", "cookie": f"{guard.COOKIE}localhost={app._new_browser()}"}
        headers |= {"origin": "http://localhost", "content-length": str(guard.BROWSER_QUOTA - 10)}
        scope = {"type": "http", "method": "POST", "path": guard.UPLOAD}
        scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
        first = asyncio.create_task(app(scope, None, send))
        while not begun:
            await asyncio.sleep(0)
        await app(scope, None, send)
        assert statuses[0] == 413
        end.set()
        await first
        await app(scope, None, send)  # it brought nothing, and there is room again
        assert statuses[2::2] == [200, 200]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "LEFT_FREE", -guard.BROWSER_QUOTA)
        asyncio.run(run())


# ------------------------------------------------------------------------- a password


def test_a_page_that_others_reach_needs_a_password(monkeypatch):
    monkeypatch.delenv(serve.PASSWORD, raising=False)
    monkeypatch.setattr(sys, "stdin", None)
    for host in ("127.0.0.1", "localhost", "::1"):
        assert serve.password_for(host) is None
    for host in ("0.0.0.0", "::", "192.168.1.2", "photographs.example"):
        with pytest.raises(UserError, match="needs a password; set it as"):
            serve.password_for(host)
    monkeypatch.setenv(serve.PASSWORD, "secret")
    assert serve.password_for("0.0.0.0") == "secret"


@pytest.fixture
def open_page(model, tmp_path):
    """Serve a page that others reach; gives the lines that it prints, its port, and its process."""
    command = [sys.executable, str(ROOT / "app.py"), "--model", str(model), "--host", "0.0.0.0"]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), serve.PASSWORD: "geheim ö"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        lines = [process.stdout.readline(), process.stdout.readline()]
        yield lines, int(re.search(r":(\d+)/", lines[0])[1])
    finally:
        process.kill()
        process.wait()


def test_the_password_is_asked_for_everywhere_and_the_page_says_where_it_runs(open_page):
    lines, port = open_page
    assert f"http://{socket.gethostname()}:{port}/" in lines[0]
    assert "knows the password" in lines[1]

    def ask(path, password=None, host="127.0.0.1"):
        headers = {"Host": f"{host}:{port}"}
        if password:
            text = base64.b64encode(f"anybody:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {text}"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(1_000_000).decode()

    for path in ("/", "/config", "/gradio_api/heartbeat/a", "/gradio_api/file=/etc/passwd"):
        assert ask(path)[0] == ask(path, "wrong")[0] == 401
    assert ask("/", "geheim ö")[0] == 200
    assert ask("/", "geheim ö", "192.168.7.7")[0] == 200  # any address of this machine
    assert ask("/", "geheim ö", "evil.example")[0] == 400
    assert f"happens on the computer {socket.gethostname()}" in ask("/config", "geheim ö")[1]


# ------------------------------------------------------------------------- folders


def test_what_killed_processes_left_goes_and_what_others_use_stays(tmp_path, monkeypatch, model):
    command = [sys.executable, str(ROOT / "app.py"), "--model", str(model)]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert "the page is at" in process.stdout.readline()
        (left,) = tmp_path.glob("colorizer-*")
        assert left.stat().st_mode & 0o777 == 0o700
        monkeypatch.setattr(serve.tempfile, "tempdir", str(tmp_path))
        serve.remove_stale()
        assert left.exists()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    foreign = tmp_path / "colorizer-of-another-program"
    foreign.mkdir()
    serve.remove_stale()
    assert [path.name for path in tmp_path.glob("colorizer-*")] == [foreign.name]


def test_a_port_that_is_taken_is_a_sentence_and_without_one_the_next_is_taken(monkeypatch):
    with serve.listening("127.0.0.1", None) as listener:
        port = listener.getsockname()[1]
        message = f"served at 127.0.0.1:{port} "
        with pytest.raises(UserError, match=message), serve.listening("127.0.0.1", port):
            pass
        monkeypatch.setattr(serve, "PORTS", [port, 0])
        with serve.listening("127.0.0.1", None) as other:
            assert other.getsockname()[1] != port


def test_browsers_are_asked_for_a_heartbeat(ask):
    assert json.loads(ask("/config")[2])["connect_heartbeat"] is True


def test_a_tab_is_there_while_its_heartbeat_is():
    beats = []

    async def application(scope, receive, send):
        beats.append("served")
        raise ConnectionError

    app = guard.Guard(
        application, "/", {"localhost"}, False, None, lambda *beat: beats.append(beat)
    )
    scope = {"type": "http", "method": "GET", "path": "/gradio_api/heartbeat/abc"}
    with pytest.raises(ConnectionError):
        asyncio.run(app(scope | {"headers": [(b"host", b"localhost")]}, None, None))
    assert beats == [("abc", True), "served", ("abc", False)]
