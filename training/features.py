"""What trained networks see in pictures: features for Fréchet distances, a classifier's answers.

Pictures are uint8 RGB arrays (B, H, W, 3) in 0..255.
"""

import hashlib
from pathlib import Path
from zipfile import BadZipFile

from pictures import evaluation
from pictures.measure import FOLDERS, Answers

import keras
import numpy as np

INCEPTION_SIDE = 299
# The file of `keras.applications` (its URL ends in the name), and the MD5 that Keras checks it by.
INCEPTION_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
INCEPTION_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"

# What experiments/convert_efficientnet.py names the classifier whose features make the FD Lite2.
LITE2 = "efficientnet_lite2"

# The ImageNet (ILSVRC-2012) class names, in the order of a classifier's outputs.
SYNSETS = Path(__file__).resolve().parent.parent / "weights" / "imagenet_synsets.txt"


class NoInception(Exception):
    """The Inception v3 weights are not available; the message says why."""


class NoClassifier(Exception):
    """The classifier for recognition is not available; the message says why."""


def md5(path) -> str:
    """Return the MD5 of a file, in hexadecimal; raises OSError where it cannot be read."""
    return hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest()


def load_inception(weights=None):
    """Load Inception v3 with Keras' ImageNet weights, up to its 2,048 pooled features.

    `weights` is the file INCEPTION_FILE, or None for Keras to download it once (88 MB). Any other
    file is refused, because a distance from any other network is not the FID.
    Raises NoInception with the reason: no file, another file, no network.

    Source: Szegedy et al. 2015. Tools of other projects use the weights of 2015-12-05, which give
    other distances; compare only figures from the same weights.
    """
    if weights is None:
        weights = "imagenet"
    else:
        try:
            digest = md5(weights)
        except OSError as error:
            raise NoInception(f"cannot read {weights} ({error.strerror})") from error
        if digest != INCEPTION_MD5:
            raise NoInception(f"{weights} is not Keras' {INCEPTION_FILE} (MD5 {INCEPTION_MD5})")
    try:
        return keras.applications.InceptionV3(
            include_top=False,
            pooling="avg",
            weights=weights,
            input_shape=(INCEPTION_SIDE, INCEPTION_SIDE, 3),
        )
    except Exception as error:  # Keras raises a bare Exception where a download fails
        reason = " ".join(str(error).split())
        raise NoInception(f"Inception v3 weights cannot be loaded: {reason}") from error


def inception_features(inception, pictures):
    """Return the float32 (B, 2048) features of uint8 RGB pictures (B, H, W, 3).

    Pictures are resized to 299x299 (bilinear, corners not aligned) and scaled to -1..1.
    """
    resized = keras.ops.image.resize(
        keras.ops.cast(pictures, "float32"),
        (INCEPTION_SIDE, INCEPTION_SIDE),
        interpolation="bilinear",
    )
    scaled = keras.applications.inception_v3.preprocess_input(resized)
    return inception.predict_on_batch(scaled)


def class_numbers() -> dict:
    """Return the number, 0..999, of every ImageNet class by its name, as in n01440764."""
    return {name: number for number, name in enumerate(SYNSETS.read_text().split())}


def load_classifier(path):
    """Load the classifier that experiments/converters/convert_efficientnet.py writes.

    Returns a keras.Model from RGB (B, side, side, 3) float32 in [0, 1] to the features before its
    last layer, (B, D), and its logits, (B, 1000).
    Raises NoClassifier with the reason: no file, another file.
    """
    if not Path(path).is_file():
        raise NoClassifier(
            f"there is no classifier {path}; it is made by experiments/converters/"
            "convert_efficientnet.py"
        )
    try:
        classifier = keras.saving.load_model(path, compile=False, safe_mode=True)
        shapes = classifier.input_shape[1:], classifier.output_shape[1:]
    except (ValueError, TypeError, AttributeError, KeyError, OSError, BadZipFile) as error:
        raise NoClassifier(f"{path} cannot be loaded ({type(error).__name__})") from error
    (height, width, channels), classes = shapes[0], shapes[1]
    if None in (height, width) or (channels, classes) != (3, (len(class_numbers()),)):
        raise NoClassifier(f"{path} maps {shapes[0]} to {shapes[1]}, not RGB to 1,000 classes")
    # What its last layer decides by: 1,280 features of EfficientNet-Lite2, pooled over the picture.
    outputs = [classifier.layers[-1].input, classifier.output]
    return keras.Model(classifier.input, outputs, name=classifier.name)


def classify(classifier, pictures):
    """Return what a classifier of `load_classifier` sees in uint8 RGB pictures (B, H, W, 3).

    That is its features, float32 (B, D), and the most likely ImageNet class, int64 (B,).
    Pictures are resized whole to the classifier's side (bicubic) and scaled to 0..1. The share of
    pictures whose class is right, on colorized pictures, tells whether the colours are those of
    the thing. Source: Zhang et al. 2016, section 3.1, "Semantic interpretability", with VGG-16.
    """
    resized = keras.ops.image.resize(
        keras.ops.cast(pictures, "float32") / 255,
        classifier.input_shape[1:3],
        interpolation="bicubic",
        antialias=True,
    )
    found, logits = classifier.predict_on_batch(keras.ops.clip(resized, 0, 1))
    return found, logits.argmax(axis=-1)


def ask(folder, labels, inception_weights, classifier_file, batch_size) -> dict:
    """Return what the networks of `measure.METRICS` see in an evaluation's folder, as `Answers`.

    `labels` is {file name: class}. "inception" and "lite2" give features, float32 (N, D);
    "classes" gives float64 (N,): 1 where the classifier finds the class of a picture, 0 where it
    does not, NaN where the label is no class of ImageNet.
    """

    def look(name, see):
        """Return {folder: arrays (N, ...)} of what `see` returns for each batch."""
        seen = {}
        for pictures in FOLDERS:
            bar = f"{name}, {pictures}"
            batches = evaluation.in_batches(folder / pictures, list(labels), batch_size, bar)
            seen[pictures] = [*map(np.concatenate, zip(*map(see, batches), strict=True))]
        return seen

    answers = {"inception": Answers()}
    if len(labels) > 1:  # of one picture there is no distance
        try:
            inception = load_inception(inception_weights)
            seen = look("FID", lambda batch: [inception_features(inception, batch)])
            answers["inception"] = Answers({name: found for name, (found,) in seen.items()})
        except NoInception as error:
            answers["inception"] = Answers(reason=str(error))
    try:
        classifier = load_classifier(classifier_file)
    except NoClassifier as error:
        return answers | dict.fromkeys(("lite2", "classes"), Answers(reason=str(error)))
    seen = look("classifying", lambda batch: classify(classifier, batch))
    answers["lite2"] = Answers({name: found for name, (found, _) in seen.items()})
    if classifier.name != LITE2:
        answers["lite2"] = Answers(reason=f"the classifier is {classifier.name}, not {LITE2}")
    numbers = class_numbers()
    truth = np.array([numbers.get(label, np.nan) for label in labels.values()])
    answers["classes"] = Answers(reason="no picture is labelled with a class of ImageNet")
    if np.isfinite(truth).any():
        right = {name: classes == truth for name, (_, classes) in seen.items()}
        answers["classes"] = Answers(
            {name: np.where(np.isnan(truth), np.nan, each) for name, each in right.items()}
        )
    return answers
