"""The evaluation, end to end on generated pictures and stand-in models of one layer."""

import csv
import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import evaluate
from colorizer.files import photos
from colorizer.pixels import grayscale, resize
from pictures import charts, dataset, evaluation, measure, metrics
from training import features

import keras
import numpy as np
import pytest
from PIL import Image

ROOT = Path(evaluate.__file__).parent
SIZE = 24
NO_INCEPTION = ("--inception-weights", "no-such-file.h5")  # nothing is downloaded by a test
ORANGE = (1.0, 0.5, 0.0)  # red, green, blue that the orange model paints for white
GRAY = (1.0, 1.0, 1.0)


def save_model(path, colour, bias=0.0, strides=1):
    """Save a model that paints every pixel in `colour` times its gray value, plus `bias`."""
    gray = keras.Input((None, None, 1))
    layer = keras.layers.Conv2D(3, 1, strides=strides)
    model = keras.Model(gray, layer(gray))
    layer.set_weights([np.array(colour, "float32").reshape(1, 1, 1, 3), np.full(3, bias)])
    model.save(path)
    return path


def orange_pictures(count):
    """Return gray (N, 24, 24, 1), of even values, and what the orange model should paint."""
    generator = np.random.default_rng(0)
    gray = 2 * generator.integers(20, 120, (count, SIZE, SIZE, 1), np.uint8)
    return gray, np.concatenate([gray, gray // 2, 0 * gray], axis=-1)


def write_data(folder, gray, rgb, per_shard=5, class_name="orange"):
    """Write pictures as the test split of prepared data, all of one class."""
    starts = range(0, len(gray), per_shard)
    shards = []
    for index, start in enumerate(starts):
        name = dataset.shard_name("test", index, len(starts))
        rows = slice(start, start + per_shard)
        label = np.zeros(len(gray[rows]), np.int32)
        dataset.write_shard(folder / name, gray[rows], rgb[rows], label)
        shards.append({"file": name, "pictures": len(label)})
    manifest = {
        "source": "generated",
        "classes": [class_name],
        "images_per_class": 1,
        "test_images_per_class": len(gray),
        "size": SIZE,
        "seed": 0,
        "splits": {
            "train": {"pictures": 0, "shards": []},
            "test": {"pictures": len(gray), "shards": shards},
        },
    }
    dataset.write_manifest(folder, manifest)
    return folder


def run(model, data, output, *more):
    # No classifier but where a test gives one: this machine may have that of the default place.
    arguments = [
        "--model",
        model,
        "--data",
        data,
        "--output",
        output,
        "--classifier",
        "none",
        *more,
    ]
    return evaluate.main([str(argument) for argument in arguments])


def read_report(output):
    return json.loads((output / "metrics.json").read_text())


@pytest.fixture
def orange(tmp_path):
    """Seven pictures in two shards; the sixth is gray in truth."""
    gray, rgb = orange_pictures(7)
    rgb[5] = gray[5]
    return write_data(tmp_path / "data", gray, rgb), gray, rgb


def test_a_model_that_is_right_but_once(tmp_path, orange, capsys):
    data, gray, rgb = orange
    model = save_model(tmp_path / "orange.keras", ORANGE)
    output = tmp_path / "runs" / "evaluation"
    assert run(model, data, output, "--batch-size", 3, *NO_INCEPTION) == 0

    assert {path.name for path in output.iterdir()} == evaluation.CONTENTS
    names = [f"{number:05d}.png" for number in range(7)]
    for folder in measure.FOLDERS:
        assert sorted(path.name for path in (output / folder).iterdir()) == names
    for number, name in enumerate(names):
        read = {folder: photos.read_rgb(output / folder / name) for folder in measure.FOLDERS}
        np.testing.assert_array_equal(read["grayscale"], np.repeat(gray[number], 3, axis=-1))
        np.testing.assert_array_equal(read["ground_truth"], rgb[number])
        if number != 5:
            np.testing.assert_array_equal(read["generated"], rgb[number])

    report = read_report(output)
    assert (report["images"], report["gray_in_truth"]) == (7, 1)
    assert report["ssim_threshold"] == 0.8
    keys = {metric.key for metric in measure.METRICS}
    assert set(report["generated"]) == set(report["gray_copy"]) == keys
    generated, gray_copy = report["generated"], report["gray_copy"]
    # Six pictures are right, the gray one is painted orange.
    painted = np.concatenate([gray[5], gray[5] // 2, 0 * gray[5]], axis=-1)
    error = np.mean((painted.astype(float) - gray[5]) ** 2)
    assert generated["mse"] == pytest.approx(error / 7)
    assert generated["psnr"] == pytest.approx((6 * 60 + 10 * np.log10(255**2 / error)) / 7)
    assert generated["ssim_accuracy"] == pytest.approx(6 / 7)
    assert generated["pixel_accuracy"] == pytest.approx(6 / 7)
    assert generated["fid"] is None
    # The gray copy is right where the truth is gray.
    assert gray_copy["pixel_accuracy"] == pytest.approx(1 / 7)
    assert gray_copy["colourfulness"] == 0
    assert generated["auc_balanced"] > gray_copy["auc_balanced"]
    truth = np.mean([metrics.colourfulness(picture) for picture in rgb])
    assert report["true_colourfulness"] == pytest.approx(truth)
    assert "no-such-file.h5" in report["fid_reason"]
    assert report["versions"]["keras"] == keras.__version__
    assert report["model"] == str(model)

    printed = capsys.readouterr().out
    assert "7 pictures, 1 of them gray in truth" in printed
    assert f"{generated['mse']:12.1f}{gray_copy['mse']:12.1f} " in printed
    # Without the gray picture, whose copy is perfect, the model is right everywhere.
    without = report["without_gray"]
    assert without["generated"]["psnr"] == without["generated"]["ssim_accuracy"] * 60 == 60
    assert without["gray_copy"]["psnr"] == pytest.approx((7 * gray_copy["psnr"] - 60) / 6)
    assert without["generated"]["auc"] == without["generated"]["auc_balanced"] == 100
    assert without["intervals"]["generated"]["psnr"] == [60, 60]
    low, high = without["intervals"]["difference"]["psnr"]
    assert 0 < low < 60 - without["gray_copy"]["psnr"] < high
    assert f"{60:12.2f}{without['gray_copy']['psnr']:12.2f} " in printed
    assert f"[+{low:.2f}, +{high:.2f}]\n" in printed
    assert printed.index("6 pictures, without the 1 that") < printed.index("7 pictures, 1 of them")
    assert "no FID: cannot read no-such-file.h5" in printed
    assert printed.splitlines()[-1] == f"pictures and figures are in {output}"


def test_every_row_of_the_csv_is_what_the_files_say(tmp_path, orange):
    data, _, _ = orange
    output = tmp_path / "evaluation"
    run(save_model(tmp_path / "brown.keras", (0.8, 0.5, 0.4)), data, output, *NO_INCEPTION)
    with open(output / "per_image.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [f"test row {number}" for number in range(7)]
    assert [row["gray_in_truth"] for row in rows] == list("0000010")
    for row in rows:
        ground_truth = photos.read_rgb(output / "ground_truth" / row["name"])
        generated = photos.read_rgb(output / "generated" / row["name"])
        assert float(row["generated_ssim"]) == metrics.ssim(ground_truth, generated)
        assert float(row["generated_qssim"]) == metrics.qssim(ground_truth, generated)
        assert float(row["generated_colourfulness"]) == metrics.colourfulness(generated)
        difference = metrics.ciede2000(metrics.to_lab(ground_truth), metrics.to_lab(generated))
        assert float(row["generated_ciede2000"]) == difference
    report = read_report(output)
    for key in ("mse", "psnr", "ssim", "qssim", "ciede2000", "colourfulness", "pixel_accuracy"):
        mean = np.mean([float(row[f"generated_{key}"]) for row in rows])
        assert report["generated"][key] == pytest.approx(mean)


def test_a_model_that_leaves_pictures_gray_scores_what_the_gray_copy_scores(tmp_path, orange):
    data, _, _ = orange
    output = tmp_path / "evaluation"
    model = save_model(tmp_path / "gray.keras", GRAY)
    run(model, data, output, "--ssim-threshold", 0.5, *NO_INCEPTION)
    report = read_report(output)
    assert report["ssim_threshold"] == 0.5
    assert report["generated"] == report["gray_copy"]
    both = report["ssim_threshold_for_85_percent"]
    assert both["generated"] == both["gray_copy"] < 1


def test_a_folder_of_photographs_is_a_test_set(tmp_path, capsys):
    folder = tmp_path / "photographs"
    colours = np.random.default_rng(1).integers(0, 256, (2, 130, 200, 3), np.uint8)
    (folder / "inner").mkdir(parents=True)
    photos.write_png(folder / "one.png", colours[0])
    photos.write_png(folder / "inner" / "two.png", colours[1])
    (folder / "broken.jpg").write_bytes(b"not a photograph")
    output = tmp_path / "evaluation"
    assert run(save_model(tmp_path / "m.keras", GRAY), folder, output, *NO_INCEPTION) == 0
    report = read_report(output)
    assert report["images"] == 2
    assert [left["file"] for left in report["left_out"]] == ["broken.jpg"]
    assert "left out: broken.jpg" in capsys.readouterr().err
    # Sorted: broken.jpg, inner/two.png, one.png.
    two = resize(colours[1], 120, 120)
    np.testing.assert_array_equal(photos.read_rgb(output / "ground_truth" / "00000.png"), two)
    np.testing.assert_array_equal(
        photos.read_rgb(output / "grayscale" / "00000.png"),
        np.repeat(grayscale(two), 3, axis=-1),
    )


def test_photographs_are_measured_at_the_size_given(tmp_path):
    picture = np.random.default_rng(1).integers(0, 256, (130, 200, 3), np.uint8)
    photos.write_png(tmp_path / "photographs" / "one.png", picture)
    model, output = save_model(tmp_path / "m.keras", GRAY), tmp_path / "evaluation"
    assert run(model, tmp_path / "photographs", output, "--size", 64, *NO_INCEPTION) == 0
    assert read_report(output)["size"] == 64
    truth = photos.read_rgb(output / "ground_truth" / "00000.png")
    np.testing.assert_array_equal(truth, resize(picture, 64, 64))


def test_fid_stands_beside_that_of_the_gray_copy(tmp_path, orange, monkeypatch, capsys):
    data, gray, rgb = orange
    given = []
    monkeypatch.setattr(features, "load_inception", lambda weights: given.append(weights))

    def mean_colour(inception, pictures):
        return np.pad(pictures.mean(axis=(1, 2)), ((0, 0), (0, 5)))

    monkeypatch.setattr(features, "inception_features", mean_colour)
    output = tmp_path / "evaluation"
    model = save_model(tmp_path / "orange.keras", ORANGE)
    assert run(model, data, output, "--batch-size", 4, "--inception-weights", "some.h5") == 0
    assert [str(weights) for weights in given] == ["some.h5"]
    report = read_report(output)
    gray_features = np.repeat(gray, 3, axis=-1).mean(axis=(1, 2))
    expected = metrics.feature_distance(rgb.mean(axis=(1, 2)), gray_features)
    assert report["gray_copy"]["fid"] == pytest.approx(expected)
    assert 0 < report["generated"]["fid"] < expected
    assert report["fid_reason"] is None
    assert report["fid_warning"].startswith("FID of 7 pictures, not more than its 8 features")
    assert f"warning: {report['fid_warning']}\n" in capsys.readouterr().out


def save_classifier(path, name=features.LITE2):
    """Save a classifier: class 1 where a picture is orange rather than gray, else class 0.

    Its features are the mean colour, 0..1.
    """
    rgb = keras.Input((8, 8, 3))
    logits = keras.layers.Dense(1000, use_bias=False)
    model = keras.Model(rgb, logits(keras.layers.GlobalAveragePooling2D()(rgb)), name=name)
    weights = np.zeros((3, 1000))
    weights[:, 1] = 1, 0, -1.2  # red - 1.2 blue: above 0 for orange, below for gray
    logits.set_weights([weights])
    model.save(path)
    return path


def test_recognition_stands_beside_that_of_gray_and_truth(tmp_path, capsys):
    gray, rgb = orange_pictures(4)
    rgb[3] = gray[3]
    data = write_data(tmp_path / "data", gray, rgb, class_name="n01443537")  # goldfish, class 1
    model = save_model(tmp_path / "orange.keras", ORANGE)
    classifier = save_classifier(tmp_path / "classifier.keras")
    output = tmp_path / "evaluation"
    arguments = ("--classifier", classifier, "--batch-size", 3, *NO_INCEPTION)
    assert run(model, data, output, *arguments) == 0
    report = read_report(output)
    assert report["generated"]["recognition"] == 1
    assert report["gray_copy"]["recognition"] == 0
    assert report["true_recognition"] == 0.75
    assert report["recognition_images"] == 4
    assert report["recognition_reason"] is None
    printed = capsys.readouterr().out
    row = "Recognition (% top-1, truth: 75.0)                 100.0         0.0      "
    assert f"{row}[+100.0, +100.0]\n" in printed


def test_unlabelled_among_labelled_pictures_are_left_out_of_recognition(tmp_path):
    folder = tmp_path / "photographs"
    _, rgb = orange_pictures(3)
    # The second is no class of ImageNet, the third is no goldfish.
    for name, picture in zip(("n01443537_a", "n019_none", "n02102040_c"), rgb, strict=True):
        photos.write_png(folder / f"{name}.png", resize(picture, 64, 64))
    model = save_model(tmp_path / "orange.keras", ORANGE)
    given = ("--classifier", save_classifier(tmp_path / "classifier.keras"), "--size", 64)
    output = tmp_path / "evaluation"
    assert run(model, folder, output, *given, *NO_INCEPTION) == 0
    report = read_report(output)
    assert report["recognition_images"] == 2
    assert report["generated"]["recognition"] == report["true_recognition"] == 0.5
    assert report["gray_copy"]["recognition"] == 0
    with open(output / "per_image.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["generated_recognition"] for row in rows] == ["1.0", "nan", "0.0"]
    assert rows[1]["source"] == "n019_none.png"


WITHOUT_KERAS = """
import sys
sys.modules.update(keras=None, tensorflow=None)
import evaluate
sys.exit(evaluate.main(sys.argv[1:]))
"""


def test_without_keras_it_measures_all_but_what_networks_see(tmp_path, orange):
    model = ROOT / "weights" / "paper_gan.onnx"
    output = tmp_path / "evaluation"
    command = [sys.executable, "-c", WITHOUT_KERAS]

    def run_without_keras(*arguments):
        return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)

    assert "--ssim-threshold" in run_without_keras("--help").stdout
    done = run_without_keras("--model", model, "--data", orange[0], "--output", output)
    assert done.returncode == 0, done.stderr
    report = read_report(output)
    assert report["generated"]["psnr"] > 0
    for key in ("fid", "fd_lite2", "recognition"):
        assert report["generated"][key] is None
        assert report[f"{key}_reason"] == (
            "keras is not installed; python -m pip install -r requirements.txt"
        )
    keras_model = save_model(tmp_path / "orange.keras", ORANGE)
    done = run_without_keras("--model", keras_model, "--data", orange[0], "--output", output)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_without_classifier_or_labels_the_report_says_why(tmp_path, capsys):
    gray, rgb = orange_pictures(2)
    model = save_model(tmp_path / "orange.keras", ORANGE)
    classifier = save_classifier(tmp_path / "classifier.keras")
    labelled = write_data(tmp_path / "labelled", gray, rgb, class_name="n01443537")
    unlabelled = write_data(tmp_path / "unlabelled", gray, rgb, class_name="fish")
    for data, given, reason in (
        (labelled, tmp_path / "none.keras", f"there is no classifier {tmp_path / 'none.keras'}"),
        (unlabelled, classifier, "no picture is labelled with a class of ImageNet"),
    ):
        output = tmp_path / "evaluation"
        assert run(model, data, output, "--classifier", given, *NO_INCEPTION) == 0
        report = read_report(output)
        assert report["generated"]["recognition"] is None
        assert report["true_recognition"] is None
        assert report["recognition_reason"].startswith(reason)
        printed = capsys.readouterr().out
        assert "Recognition (% top-1, truth: none)                  none        none\n" in printed
        assert f"no recognition: {reason}" in printed


def test_the_distance_in_lite2_stands_beside_that_of_the_gray_copy(tmp_path, orange, capsys):
    data, gray, rgb = orange  # not one of them labelled with a class of ImageNet
    model = save_model(tmp_path / "orange.keras", ORANGE)
    classifier = save_classifier(tmp_path / "classifier.keras")
    output = tmp_path / "evaluation"
    arguments = ("--classifier", classifier, "--batch-size", 3, *NO_INCEPTION)
    assert run(model, data, output, *arguments) == 0
    report = read_report(output)
    truth, copy = (pictures.mean(axis=(1, 2)) / 255 for pictures in (rgb, gray.repeat(3, axis=-1)))
    expected = metrics.feature_distance(truth, copy)
    assert report["gray_copy"]["fd_lite2"] == pytest.approx(expected, rel=0.01)  # resized
    assert 0 < report["generated"]["fd_lite2"] < expected / 2
    assert report["fd_lite2_reason"] is report["fd_lite2_warning"] is None  # 7 pictures, 3 features
    assert report["recognition_reason"] == "no picture is labelled with a class of ImageNet"
    # The second of the two tables is of all pictures, gray ones too.
    assert f"{expected:12.2f}\n" in re.findall("Lite2.*\n", capsys.readouterr().out)[1]

    fewer = write_data(tmp_path / "fewer", gray[:3], rgb[:3])
    assert run(model, fewer, output, *arguments) == 0
    report = read_report(output)
    assert report["generated"]["fd_lite2"] == pytest.approx(0, abs=1e-6)  # all three are right
    warning = report["fd_lite2_warning"]
    assert warning.startswith("Fréchet distance in Lite2 of 3 pictures, not more than its 3 feat")
    assert f"warning: {warning}\n" in capsys.readouterr().out


def test_the_distance_in_lite2_is_of_lite2_alone(tmp_path, orange, capsys):
    data, _, _ = orange
    model = save_model(tmp_path / "orange.keras", ORANGE)
    output = tmp_path / "evaluation"
    other = save_classifier(tmp_path / "other.keras", name="other")
    for given, reason in (
        (other, "the classifier is other, not efficientnet_lite2"),
        (tmp_path / "none.keras", "there is no classifier"),
    ):
        assert run(model, data, output, "--classifier", given, *NO_INCEPTION) == 0
        report = read_report(output)
        assert report["generated"]["fd_lite2"] is report["gray_copy"]["fd_lite2"] is None
        assert report["fd_lite2_reason"].startswith(reason)
        assert f"no Fréchet distance in Lite2: {reason}" in capsys.readouterr().out


def test_photographs_are_labelled_by_name_or_by_folder():
    labels = {
        "sample/n01440764_tench.jpg": "n01440764",
        "val/n01443537/ILSVRC2012_val_00000236.JPEG": "n01443537",
        "n01443537/n01440764_10026.JPEG": "n01440764",
        "holiday/n01.jpg": "holiday",
    }
    assert {path: evaluation.label_of(Path(path)) for path in labels} == labels


def test_one_picture_is_enough_but_for_fid(tmp_path):
    data = write_data(tmp_path / "data", *orange_pictures(1))
    output = tmp_path / "evaluation"
    classifier = save_classifier(tmp_path / "classifier.keras")
    model = save_model(tmp_path / "orange.keras", ORANGE)
    assert run(model, data, output, "--classifier", classifier) == 0
    for distance in ("fid", "fd_lite2"):
        reason = read_report(output)[f"{distance}_reason"]
        assert reason == "a covariance needs at least two pictures"
    assert read_report(output)["generated"]["psnr"] == 60


def test_shown_pictures_are_chosen_by_rank():
    ranks = charts.shown_ranks(1001)
    assert list(ranks) == [51, 101, 151, 451, 501, 551, 851, 901, 951]
    assert list(ranks.values()) == ["good"] * 3 + ["middling"] * 3 + ["bad"] * 3
    assert set(charts.shown_ranks(2)) == {1, 2}


def test_an_earlier_evaluation_is_replaced_whole(tmp_path, orange, monkeypatch):
    data, _, _ = orange
    output = tmp_path / "evaluation"
    model = save_model(tmp_path / "orange.keras", ORANGE)
    assert run(model, data, output, *NO_INCEPTION) == 0
    first = (output / "metrics.json").read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    fewer = write_data(tmp_path / "fewer", *orange_pictures(3))
    with monkeypatch.context() as patch:
        patch.setattr(measure, "measure_pictures", interrupted)
        assert run(model, fewer, output, *NO_INCEPTION) == 130
    assert (output / "metrics.json").read_bytes() == first
    assert len(list((output / "generated").iterdir())) == 7

    assert run(model, fewer, output, *NO_INCEPTION) == 0
    assert read_report(output)["images"] == 3
    assert len(list((output / "generated").iterdir())) == 3
    assert not list(tmp_path.glob(".*partial-*"))


def refused(capsys, sentence, *arguments):
    """Assert that the call ends with status 2 and one line on standard error."""
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert sentence in lines[0]
    assert "Traceback" not in error


def test_wrong_calls_are_refused_in_one_sentence(tmp_path, orange, capsys):
    data, _, _ = orange
    good = save_model(tmp_path / "good.keras", ORANGE)
    output = tmp_path / "evaluation"
    empty = tmp_path / "empty"
    empty.mkdir()
    not_a_model = tmp_path / "text.keras"
    not_a_model.write_text("hello")
    halving = save_model(tmp_path / "halving.keras", ORANGE, strides=2)
    nan = save_model(tmp_path / "nan.keras", ORANGE, bias=np.nan)
    fixed = tmp_path / "fixed.keras"
    gray = keras.Input((32, 32, 1))
    keras.Model(gray, keras.layers.Conv2D(3, 1)(gray)).save(fixed)

    refused(capsys, "there is no data folder", good, tmp_path / "none", output)
    refused(capsys, "neither prepared data", good, empty, output)
    refused(capsys, "there is no model", tmp_path / "none.keras", data, output)
    refused(capsys, "not a Keras model", not_a_model, data, output)
    refused(capsys, "not grayscale (batch, height, width, 1) to RGB", halving, data, output)
    refused(capsys, "works at 32x32 pixels only", fixed, data, output)
    refused(capsys, "numbers that are not finite", nan, data, output)
    refused(capsys, "--ssim-threshold is 85", good, data, output, "--ssim-threshold", 85)
    refused(capsys, "--batch-size is 0", good, data, output, "--batch-size", 0)
    refused(capsys, "--size is 60", good, data, output, "--size", 60)
    refused(capsys, "pictures of 24x24 pixels, not 64x64", good, data, output, "--size", 64)
    refused(capsys, "cannot make the folder", good, data, not_a_model / "evaluation")
    assert not output.exists()
    assert not list(tmp_path.glob(".*partial-*"))


def test_an_output_folder_with_anything_else_is_left_alone(tmp_path, orange, capsys):
    data, _, _ = orange
    model = save_model(tmp_path / "orange.keras", ORANGE)
    refused(capsys, "something other than an evaluation", model, data, data)
    refused(capsys, "something other than an evaluation", model, data, model)
    assert dataset.open_split(data, "test").pictures == 7
    assert model.is_file()


def test_photographs_that_all_fail_are_an_error(tmp_path, capsys):
    folder = tmp_path / "photographs"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"not a photograph")
    model = save_model(tmp_path / "gray.keras", GRAY)
    refused(capsys, "no photograph in", model, folder, tmp_path / "evaluation")
    assert not (tmp_path / "evaluation").exists()


def test_names_that_are_no_text_are_measured_and_written_escaped(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(2):
        path = folder / os.fsdecode(b"odd \xff%d.png" % number)
        Image.fromarray(np.full((32, 32, 3), 90 + number, np.uint8)).save(tmp_path / "a.png")
        (tmp_path / "a.png").rename(path)
    model = save_model(tmp_path / "orange.keras", ORANGE)
    output = tmp_path / "evaluation"
    assert run(model, folder, output, *NO_INCEPTION, "--size", 32) == 0
    assert r"odd \xff1.png" in (output / "per_image.csv").read_text()


@pytest.mark.parametrize("place", ["flipped", "label"])
def test_damaged_test_pictures_are_refused(tmp_path, orange, capsys, place):
    data = shutil.copytree(orange[0], tmp_path / "changed")
    shard = next(data.glob("test-*.npz"))
    if place == "flipped":
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
    else:
        with np.load(shard) as arrays:
            changed = dict(arrays)
        changed["label"] = changed["label"] + 1000
        np.savez(shard, **changed)
    model = save_model(tmp_path / "orange.keras", ORANGE)
    refused(capsys, f"{shard} cannot be used", model, data, tmp_path / "evaluation")


def test_a_full_disk_is_one_sentence_and_the_earlier_evaluation_stays(
    tmp_path, orange, capsys, monkeypatch
):
    model = save_model(tmp_path / "orange.keras", ORANGE)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(evaluate.atomic, "write_json", full)
    refused(capsys, "No space left", model, orange[0], tmp_path / "evaluation", *NO_INCEPTION)
    assert not (tmp_path / "evaluation").exists()
    assert not list(tmp_path.glob(".*partial-*"))
