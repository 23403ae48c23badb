"""Build the page that needs nothing: one file for a double click, and the same as a static site.

    python web/build.py

Reads web/src, weights/ and what `npm` installs for web/package.json; writes outputs/web/
colorize.html and outputs/web/site/.
"""

import argparse
import base64
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import halve
from PIL import Image

WEB = Path(__file__).resolve().parent
ROOT = WEB.parent
SOURCE, MODULES = WEB / "src", WEB / "node_modules"
WASM = MODULES / "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"

COLOUR = "colour.onnx.gz"
# The networks of the page: their files, the tensor that answers, or None: what the file has.
NETWORKS = {
    COLOUR: ("semantic.onnx", "chroma"),
    "restore.onnx.gz": ("restore.onnx", None),
    "enlarge_photo.onnx.gz": ("enlarge_photo.onnx", None),
    "enlarge_clean.onnx.gz": ("enlarge_clean.onnx", None),
}
EXAMPLE = ROOT / "samples/photographer.png"

# What a page may do: run its own script and ONNX Runtime's WebAssembly, read its own files.
POLICY = (
    "default-src 'none'; script-src {scripts} 'wasm-unsafe-eval'; style-src {styles}; "
    "worker-src {workers}; connect-src {files}; img-src {workers} data:; manifest-src {manifest}; "
    "base-uri 'none'; form-action 'none'"
)


def bundle(name, format="esm") -> str:
    """Put a module and what it imports into one script."""
    command = [
        MODULES / ".bin/esbuild",
        SOURCE / name,
        "--bundle",
        f"--format={format}",
        "--minify",
    ]
    command += ["--charset=utf8", "--legal-comments=none", "--loader:.tsv=text", "--target=es2022"]
    command += ["--log-level=error", "--define:import.meta.url=undefined"][
        : 2 if format == "iife" else 1
    ]
    done = subprocess.run(command, check=True, capture_output=True)
    return done.stdout.decode()


def squeezed(content) -> bytes:
    return gzip.compress(content, 9, mtime=0)


def example() -> bytes:
    """Return a photograph to try, as a JPEG."""
    encoded = io.BytesIO()
    with Image.open(EXAMPLE) as image:
        image.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


def licences() -> str:
    """Return the licences of all that is bundled."""
    texts = [f"The colorizer and its networks\n\n{(ROOT / 'LICENSE').read_text('utf-8')}"]
    encoder = ROOT / "weights/LICENSE-efficientnet_lite0.txt"
    texts.append(f"EfficientNet-Lite0, the network's encoder\n\n{encoder.read_text('utf-8')}")
    lock = json.loads((WEB / "package-lock.json").read_text("utf-8"))
    for path, package in lock["packages"].items():
        if path and not package.get("dev"):
            name = path.removeprefix("node_modules/")
            text = next(iter(sorted((WEB / path).glob("LICEN[CS]E*"))), None)
            said = text.read_text("utf-8") if text else ""
            texts.append(f"{name} {package['version']}: {package['license']}\n\n{said}")
    return "\n\n".join(texts).replace("&", "&amp;").replace("<", "&lt;")


def page(style, scripts, policy) -> str:
    """Put the page together."""
    text = (SOURCE / "page.html").read_text("utf-8")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}" />'
    parts = {"policy": meta, "style": style, "licences": licences(), "scripts": scripts}
    for name, part in parts.items():
        text = text.replace(f"<!-- {name} -->", part)
    return text


def digest(text) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def write_single(path, script, worker, style, assets) -> None:
    """Write the page as one file, with its worker, its networks and its runtime inside."""
    policy = POLICY.format(
        scripts=digest(script),
        styles=digest(style),
        workers="blob:",
        files="data:",
        manifest="'none'",
    )
    inside = [f'<script type="text/plain" data-name="worker.js">{worker}</script>']
    for name, content in assets.items():
        text = base64.b64encode(content).decode()
        inside.append(f'<script type="text/plain" data-name="{name}">{text}</script>')
    inside.append(f'<script type="module">{script}</script>')
    for text in (script, worker):
        if "</script" in text or "<!--" in text:
            raise ValueError("a script would end where it stands in the page")
    path.write_text(page(f"<style>{style}</style>", "\n".join(inside), policy), "utf-8")


def write_site(folder, style, assets) -> None:
    """Write the page as a static site, the module of others among its files."""
    own = "'self'"
    policy = POLICY.format(scripts=own, styles=own, workers=f"{own} blob:", files=own, manifest=own)
    links = (
        '<link rel="stylesheet" href="page.css" /><link rel="icon" href="icon.svg" />'
        '<link rel="manifest" href="manifest.webmanifest" />'
    )
    index = page(links, '<script type="module" src="page.js"></script>', policy)
    (folder / "index.html").write_text(index, "utf-8")
    (folder / "page.css").write_text(style, "utf-8")
    for name, content in assets.items():
        (folder / name).write_bytes(content)
    for name in ("icon.svg", "manifest.webmanifest"):
        shutil.copy(SOURCE / "site" / name, folder)
    files = sorted(path.name for path in folder.iterdir())
    version = hashlib.sha256(b"".join((folder / name).read_bytes() for name in files)).hexdigest()
    worker = (SOURCE / "site/sw.js").read_text("utf-8")
    worker = worker.replace('"FILES"', ", ".join(f'"{name}"' for name in ["./", *files]))
    (folder / "sw.js").write_text(worker.replace("VERSION", version[:16]), "utf-8")


def build(output, network=None) -> None:
    """Build all below `output`, with another `network` than the one that ships, if it is given."""
    if not MODULES.is_dir():
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=WEB, check=True
        )
    site = output / "site"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    script = bundle("page/page.js")
    for name in ("page/page.js", "worker.js", "colorizer.js"):
        (site / Path(name).name).write_text(bundle(name), "utf-8")
    style = (SOURCE / "page.css").read_text("utf-8")
    assets = {"ort.wasm.gz": squeezed(WASM.read_bytes()), "example.jpg": example()}
    for name, (file, answer) in NETWORKS.items():
        path = network if network and name == COLOUR else ROOT / "weights" / file
        assets[name] = squeezed(halve.for_page(path, answer))
    write_site(site, style, assets)
    write_single(output / "colorize.html", script, bundle("worker.js", "iife"), style, assets)
    size = (output / "colorize.html").stat().st_size
    print(f"{output / 'colorize.html'}: {size / 1e6:.2f} MB; the site is in {site}")


def main(argv=None) -> int:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "outputs/web",
        help="folder for colorize.html and site/ (default outputs/web)",
    )
    parser.add_argument(
        "--network",
        type=Path,
        help="an .onnx file that has a tensor `chroma` (default weights/semantic.onnx)",
    )
    settings = parser.parse_args(argv)
    build(settings.output, settings.network)
    return 0


if __name__ == "__main__":
    sys.exit(main())
