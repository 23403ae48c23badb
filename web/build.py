"""Build the page that needs nothing: one file for a double click, and the same as a static site.

    python web/build.py

Reads web/src/, weights/ and what `npm` installs for web/package.json; writes
outputs/web/colorize.html and outputs/web/site/.
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

from PIL import Image

WEB = Path(__file__).resolve().parent

ROOT = WEB.parent
SOURCE, MODULES = WEB / "src", WEB / "node_modules"
WASM = MODULES / "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"
EXAMPLE = ROOT / "samples/photographer.png"

# The networks of the page, by their names there.
COLOUR = "colour.onnx.gz"
NETWORKS = {
    COLOUR: "semantic.onnx",
    "restore.onnx.gz": "restore.onnx",
    "enlarge_photo.onnx.gz": "enlarge_photo.onnx",
    "enlarge_clean.onnx.gz": "enlarge_clean.onnx",
}

# What a page may do: run its own script and ONNX Runtime's WebAssembly, read its own files.
POLICY = (
    "default-src 'none'; script-src {scripts} 'wasm-unsafe-eval'; style-src {styles}; "
    "worker-src {own} blob:; connect-src {files}; img-src {own} blob: data:; manifest-src {own}; "
    "base-uri 'none'; form-action 'none'"
)
LINKS = (
    '<link rel="stylesheet" href="page.css" /><link rel="icon" href="icon.svg" />'
    '<link rel="manifest" href="manifest.webmanifest" />'
)


def bundle(name, *flags) -> str:
    """Put a module and what it imports into one script."""
    flags = ["--bundle", "--minify", "--charset=utf8", "--legal-comments=none", *flags]
    flags += ["--loader:.tsv=text", "--target=es2022", "--log-level=error"]
    command = [MODULES / ".bin/esbuild", SOURCE / name, *flags]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()


def made_assets(network) -> dict:
    """Return the files that the page loads besides its scripts, by name."""
    assets = {"ort.wasm.gz": gzip.compress(WASM.read_bytes(), 9, mtime=0)}
    for name, file in NETWORKS.items():
        path = network if network and name == COLOUR else ROOT / "weights" / file
        assets[name] = gzip.compress(path.read_bytes(), 9, mtime=0)
    encoded = io.BytesIO()
    with Image.open(EXAMPLE) as image:
        image.save(encoded, "JPEG", quality=85)
    return assets | {"example.jpg": encoded.getvalue()}


def licences() -> str:
    """Return the licences of all that is bundled."""
    found = {
        "The colorizer and its networks": ROOT / "LICENSE",
        "EfficientNet-Lite0, the network's encoder": ROOT
        / "weights/LICENSE-efficientnet_lite0.txt",
    }
    lock = json.loads((WEB / "package-lock.json").read_text("utf-8"))
    for path, package in lock["packages"].items():
        if path and not package.get("dev"):
            title = (
                f"{path.removeprefix('node_modules/')} {package['version']}: {package['license']}"
            )
            found[title] = next(iter(sorted((WEB / path).glob("LICEN[CS]E*"))), None)
    texts = [
        f"{title}\n\n{path.read_text('utf-8') if path else ''}" for title, path in found.items()
    ]
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


def write_single(path, style, assets) -> None:
    """Write the page as one file, with its worker, its networks and its runtime inside."""
    script = bundle("page/page.js", "--format=esm")
    # From file:// a worker is no module, and knows no address of its own.
    worker = bundle("worker.js", "--format=iife", "--define:import.meta.url=undefined")
    inside = {name: base64.b64encode(content).decode() for name, content in assets.items()}
    inside["worker.js"] = worker
    if any("</script" in text or "<!--" in text for text in (script, worker)):
        raise ValueError("a script would end where it stands in the page")
    parts = [
        f'<script type="text/plain" data-name="{name}">{text}</script>'
        for name, text in inside.items()
    ]
    parts.append(f'<script type="module">{script}</script>')
    policy = POLICY.format(scripts=digest(script), styles=digest(style), own="", files="data:")
    policy = policy.replace("manifest-src ;", "manifest-src 'none';")
    path.write_text(page(f"<style>{style}</style>", "\n".join(parts), policy), "utf-8")


def write_site(folder, style, assets) -> None:
    """Write the page as a static site, with the module for others among its files."""
    own = "'self'"
    policy = POLICY.format(scripts=own, styles=own, own=own, files=own)
    scripts = '<script type="module" src="page.js"></script>'
    files = {
        "index.html": page(LINKS, scripts, policy).encode(),
        "page.css": style.encode(),
        **assets,
    }
    for name in ("page/page.js", "worker.js", "colorizer.js"):
        files[Path(name).name] = bundle(name, "--format=esm").encode()
    for name in ("icon.svg", "manifest.webmanifest"):
        files[name] = (SOURCE / "site" / name).read_bytes()
    version = hashlib.sha256(b"".join(files.values())).hexdigest()[:16]
    kept = ", ".join(f'"{name}"' for name in ["./", *sorted(files)])
    worker = (SOURCE / "site/sw.js").read_text("utf-8")
    files["sw.js"] = worker.replace('"FILES"', kept).replace("VERSION", version).encode()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def build(output, network=None) -> None:
    """Build all below `output`, with another `network` than the one that ships, if it is given."""
    if not MODULES.is_dir():
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=WEB, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(output / "site", ignore_errors=True)
    (output / "site").mkdir(parents=True)
    style = (SOURCE / "page.css").read_text("utf-8")
    assets = made_assets(network)
    write_site(output / "site", style, assets)
    write_single(output / "colorize.html", style, assets)
    size = (output / "colorize.html").stat().st_size
    print(f"{output / 'colorize.html'}: {size / 1e6:.2f} MB; the site is in {output / 'site'}")


def main(argv=None) -> int:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    flags = {"type": Path, "metavar": "PATH"}
    output = "folder for colorize.html and site/ (default outputs/web)"
    parser.add_argument("--output", **flags, default=ROOT / "outputs/web", help=output)
    network = "an .onnx file that answers with `chroma` (default weights/semantic.onnx)"
    parser.add_argument("--network", **flags, help=network)
    settings = parser.parse_args(argv)
    build(settings.output, settings.network)
    return 0


if __name__ == "__main__":
    sys.exit(main())
