"""What trained networks see: loaded whole or not at all, shown pictures in their own range."""

from training import features

import keras
import numpy as np
import pytest
from test_metrics import flat, noise


def test_inception_sees_bilinear_299_pixels_from_minus_one_to_one():
    class Recorder:
        def predict_on_batch(self, pictures):
            self.seen = np.asarray(pictures)

    recorder = Recorder()
    left_black = np.zeros((1, 2, 2, 3), np.uint8)
    left_black[:, :, 1] = 255
    features.inception_features(recorder, left_black)
    assert recorder.seen.shape == (1, 299, 299, 3)
    row = recorder.seen[0, 0, :, 0]
    # Corners not aligned: a quarter of the row lies left of the first pixel's centre.
    assert (row[:75] == -1).all()
    assert row[75] > -1
    assert row[149] == pytest.approx(0, abs=1e-6)
    assert (row[224:] == 1).all()


def test_inception_says_why_it_cannot_be_had(tmp_path, monkeypatch):
    missing = tmp_path / "missing.h5"
    with pytest.raises(features.NoInception, match=r"missing\.h5 \(No such file or directory\)"):
        features.load_inception(missing)
    other = tmp_path / "other.h5"
    other.write_bytes(b"weights of another network")
    with pytest.raises(features.NoInception, match="is not Keras' inception_v3_weights"):
        features.load_inception(other)

    def no_network(**settings):
        assert settings["weights"] == "imagenet"
        raise Exception("URL fetch failure on ...:\n no network")

    monkeypatch.setattr(keras.applications, "InceptionV3", no_network)
    with pytest.raises(features.NoInception, match=r"loaded: URL fetch failure on \.\.\.: no netw"):
        features.load_inception()


@pytest.mark.slow
def test_inception_loads_a_file_of_the_right_checksum(tmp_path, monkeypatch):
    keras.utils.set_random_seed(0)
    saved = keras.applications.InceptionV3(include_top=False, pooling="avg", weights=None)
    path = tmp_path / "inception.weights.h5"
    saved.save_weights(path)
    monkeypatch.setattr(features, "INCEPTION_MD5", features.md5(path))
    inception = features.load_inception(path)
    for loaded, original in zip(inception.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, original)
    found = features.inception_features(inception, noise(7, side=120)[np.newaxis])
    assert found.shape == (1, 2048)
    assert np.isfinite(found).all()
    # Half a file, whatever its checksum, is not loaded either.
    path.write_bytes(path.read_bytes()[:1_000_000])
    monkeypatch.setattr(features, "INCEPTION_MD5", features.md5(path))
    with pytest.raises(features.NoInception, match="cannot be loaded"):
        features.load_inception(path)


def test_imagenet_has_a_thousand_classes_in_the_order_of_their_names():
    numbers = features.class_numbers()
    assert list(numbers) == sorted(numbers)
    assert list(numbers.values()) == list(range(1000))
    # Tench, golden retriever, church, toilet tissue.
    names = ("n01440764", "n02099601", "n03028079", "n15075141")
    assert [numbers[name] for name in names] == [0, 207, 497, 999]


def save_classifier(path, side=8, classes=1000):
    """Save a classifier of the mean colour: class 0, 1 or 2 where red, green or blue is highest."""
    rgb = keras.Input((side, side, 3))
    logits = keras.layers.Dense(classes, use_bias=False)
    model = keras.Model(rgb, logits(keras.layers.GlobalAveragePooling2D()(rgb)))
    logits.set_weights([np.eye(3, classes)])
    model.save(path)
    return path


def test_pictures_are_classified_at_the_size_and_in_the_range_of_the_classifier(tmp_path):
    classifier = features.load_classifier(save_classifier(tmp_path / "mean.keras"))
    pictures = np.stack([flat(10, 200, 30), flat(1, 2, 3), flat(0, 0, 0), flat(90, 80, 70)])
    found, classes = features.classify(classifier, pictures)
    np.testing.assert_array_equal(classes, [1, 2, 0, 0])
    # What its last layer decides by: here the mean colour.
    np.testing.assert_allclose(found, pictures[:, 0, 0] / 255, atol=1e-5)
    seen = []
    classifier.predict_on_batch = lambda rgb: seen.append(rgb) or np.zeros((2, len(rgb), 1000))
    features.classify(classifier, pictures)
    seen = keras.ops.convert_to_numpy(seen[0])
    assert seen.shape == (4, 8, 8, 3)
    np.testing.assert_allclose(seen[0], np.broadcast_to([10, 200, 30], (8, 8, 3)) / 255, atol=1e-5)


def test_what_is_no_classifier_is_refused_with_the_reason(tmp_path):
    with pytest.raises(features.NoClassifier, match="there is no classifier"):
        features.load_classifier(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(features.NoClassifier, match="cannot be loaded"):
        features.load_classifier(tmp_path / "text.keras")
    for name, shape in (("ten", {"classes": 10}), ("any", {"side": None})):
        path = save_classifier(tmp_path / f"{name}.keras", **shape)
        with pytest.raises(features.NoClassifier, match=r"not RGB to 1,000 classes"):
            features.load_classifier(path)
