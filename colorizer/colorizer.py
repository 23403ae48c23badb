"""The colorizer for Python programs: chroma from a network, luminance from the photograph."""

import math
from pathlib import Path

from colorizer import chroma
from colorizer.hints import geodesic
from colorizer.hints.known import at_half_size, first_of
from colorizer.hints.reference import SCALES, Exemplar, from_reference, joined, reference_of
from colorizer.network import FEATURE_STRIDE, load_network
from colorizer.pixels import grayscale, high_bits, padded, shrink, to_unit

import numpy as np

# In the installed package, or beside it in a checkout.
WEIGHTS = Path(__file__).parent / "weights"
if not WEIGHTS.is_dir():
    WEIGHTS = Path(__file__).parent.parent / "weights"

# The colorizers that ship: their files.
SHIPPED = {"semantic": "semantic.onnx", "paper": "paper_gan.onnx"}

# Every network halves its picture three times or more, so its sides are multiples of 8; and one
# that pads to 32 by reflection needs as much as that to reflect.
MULTIPLE = 8
SHORTEST = 32

# A panorama keeps its shape up to this many working sizes in length.
LONGEST = 8


class Colorizer:
    """Colorizes pictures with one network; safe to use from several threads.

    An image is uint8 or uint16, gray (H, W, 1) or RGB (H, W, 3), in sRGB, of at least one pixel.
    Where it is RGB, the network sees its luma. Other arrays raise ValueError.
    """

    def __init__(self, model="semantic", working_size=None, device="auto"):
        """Load a network: `model` is a name of SHIPPED or an .onnx or .keras file.

        `working_size` is the side, in pixels, of the square whose area the network sees; by default
        what its file says. `device` is a key of network.DEVICES, or `auto`. Raises UserError as
        `load_network` does.
        """
        self.given = str(model), working_size, device
        path = WEIGHTS / SHIPPED[model] if model in SHIPPED else model
        self.network = load_network(path, device)
        self.working_size = working_size or self.network.working_size

    def __reduce__(self):
        """In another process: the same network, loaded there."""
        return type(self), self.given

    def predict(self, image, known=None, automatic=None, farthest=geodesic.FARTHEST) -> np.ndarray:
        """Predict the chroma of an image at the network's size: Lab a and b, float32 (h, w, 2).

        h and w keep the image's aspect ratio and are those of `shrink(image)`. `known` are colours
        that are known, float32 (h, w, 3), as `colorizer.hints` makes them; what they change ends at
        edges, as `hints.geodesic` finds them, `farthest` away; `automatic` is what is predicted
        without them, if it is there already. Raises ValueError where they have another size or the
        network does not take any.
        """
        gray, (height, width) = self._seen(image)
        if known is None:
            return self.network.chroma(gray)[0, :height, :width]
        if known.shape != (height, width, 3):
            raise ValueError(f"known is {(height, width, 3)} for this image, not {known.shape}")
        halved = at_half_size(padded(known, MULTIPLE, SHORTEST))[np.newaxis]
        told = self.network.chroma(gray, halved)[0, :height, :width]
        if automatic is None:
            automatic = self.network.chroma(gray)[0, :height, :width]
        return geodesic.confined(told, automatic, known, gray[0, :height, :width], farthest)

    def look(self, image) -> tuple:
        """Return the chroma of an image, as `predict` does with nothing known, and its features.

        These are float32 (rows, columns, C), of each square of FEATURE_STRIDE pixels, from the same
        run of the network, or None where it has none.
        """
        gray, (height, width) = self._seen(image)
        found, features = self.network.look(gray)
        if features is not None:
            rows, columns = (-(-side // FEATURE_STRIDE) for side in (height, width))
            features = features[0, :rows, :columns]
        return found[0, :height, :width], features

    def paint(self, image, chroma_small, strength=1.0) -> np.ndarray:
        """Paint an image with predicted chroma (h, w, 2), scaled by `strength`, usually 0 to 1.

        Returns RGB (H, W, 3) of the image's dtype, at its size and with its luminance.
        """
        check_image(image)
        if chroma_small.ndim != 3 or chroma_small.shape[2] != 2 or not chroma_small.size:
            raise ValueError(f"chroma is (height, width, 2), not {chroma_small.shape}")
        small = _shrink(image, *chroma_small.shape[:2])
        chroma_small = np.asarray(chroma_small, np.float32)
        return chroma.add_chroma(image, small, chroma_small, strength)

    def colorize(self, image, known=None, strength=1.0) -> np.ndarray:
        """Predict the chroma of an image and paint it: RGB (H, W, 3) of the image's dtype."""
        return self.paint(image, self.predict(image, known), strength)

    def reference(self, image) -> Exemplar:
        """Learn which colours places have in a photograph in colour, RGB (H, W, 3).

        Raises UserError where the network cannot tell what looks alike.
        """
        found = []
        for scale in SCALES:
            small = _shrink(image, *network_size(*image.shape[:2], scale * self.working_size))
            seen = padded(to_unit(grayscale(small)), MULTIPLE, SHORTEST)
            features = self.network.features(seen[np.newaxis])
            found.append(reference_of(features[0], small, FEATURE_STRIDE))
        return joined(found)

    def match(self, image, reference) -> tuple:
        """Return known colours of an image, float32 (h, w, 3), where it looks like a reference.

        Also returns the share of the image that found a match.
        """
        gray, _ = self._seen(image)
        features = self.network.features(gray)[0]
        return from_reference(reference, features, self.shrink(image), FEATURE_STRIDE)

    def known_colours(self, image, hinted=None, reference=None):
        """Return all known colours of an image, float32 (h, w, 3), or None where nothing is said.

        `hinted` are those that a person says, or None; they count before those of a `reference`,
        an Exemplar or None. Also returns the share of the image that looks like that.
        """
        said = [] if hinted is None else [hinted]
        share = 0.0
        if reference is not None:
            matched, share = self.match(image, reference)
            said.append(matched)
        return first_of(*said) if said else None, share

    def shrink(self, image) -> np.ndarray:
        """Return an image at the network's size, uint8 (h, w, 1) or (h, w, 3)."""
        check_image(image)
        return _shrink(image, *network_size(*image.shape[:2], self.working_size))

    def _seen(self, image):
        """Return gray as the network sees it, padded, (1, H, W, 1) in [0, 1], and h and w in it."""
        small = self.shrink(image)
        gray = to_unit(grayscale(small))
        return padded(gray, MULTIPLE, SHORTEST)[np.newaxis], gray.shape[:2]


def network_size(height, width, working_size) -> tuple[int, int]:
    """Return the height and width, in pixels, at which the network sees an image.

    The aspect ratio stays. The area is that of a square of `working_size`, as far as LONGEST
    allows, or a little less, so that the longer side is a multiple of 8.
    """
    longer = working_size * math.sqrt(max(height, width) / min(height, width))
    longer = min(longer, LONGEST * working_size) // MULTIPLE * MULTIPLE
    scale = longer / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _shrink(image, height, width) -> np.ndarray:
    return high_bits(shrink(image, height, width))


def check_image(image) -> None:
    """Raise ValueError unless `image` is one that a Colorizer takes."""
    if image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise ValueError(
            f"an image is gray (height, width, 1) or RGB (height, width, 3), not {image.shape}"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"an image is uint8 or uint16, not {image.dtype}")
