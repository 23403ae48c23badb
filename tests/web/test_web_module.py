"""The static site of web/, and its module, which others embed."""

from colorizer import Colorizer
from colorizer.files import photos

import numpy as np
from playwright.sync_api import expect
from visitor import ROOT, share_alike

CAT = ROOT / "samples/cat.jpg"

EMBED = """async (address) => {
    const { load } = await import("./colorizer.js");
    const colorizer = await load("colour.onnx.gz");
    const bitmap = await createImageBitmap(await (await fetch(address)).blob());
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const image = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const chroma = await colorizer.predict(image);
    const painted = await colorizer.paint(image, chroma, 0.5);
    colorizer.close();
    return {
        size: [chroma.width, chroma.height], chroma: [...chroma.data], painted: [...painted.data],
    };
}"""


def test_the_module_has_the_verbs_of_the_class(visits, site, built):
    (built / "site/cat.jpg").write_bytes(CAT.read_bytes())
    visitor = visits(f"{site}/index.html", offline=False)
    found = visitor.page.evaluate(EMBED, "cat.jpg")
    image = photos.read_rgb(CAT)
    colorizer = Colorizer()
    chroma = colorizer.predict(image)
    height, width = chroma.shape[:2]
    assert found["size"] == [width, height]
    np.testing.assert_allclose(np.reshape(found["chroma"], chroma.shape), chroma, atol=0.6)
    painted = np.reshape(found["painted"], (*image.shape[:2], 4)).astype(np.uint8)[..., :3]
    assert share_alike(painted, colorizer.paint(image, chroma, 0.5)) >= 0.999


def test_the_site_works_without_its_host_once_it_was_there(visits, site):
    visitor = visits(f"{site}/index.html", offline=False)
    visitor.page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    visitor.page.reload()
    visitor.context.set_offline(True)
    visitor.page.reload()
    assert visitor.page.evaluate("() => crossOriginIsolated")  # so that it has threads
    visitor.open(CAT)
    assert visitor.pixels().shape == (300, 451, 3)
    visitor.find("#example").wait_for(state="attached")
    expect(visitor.find("#status")).to_have_text("cat.jpg is in colour.")
