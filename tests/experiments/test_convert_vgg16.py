"""Reading VGG-16 out of its package, and what shows that it is ImageNet's."""

from colorizer.errors import UserError
from colorizer.files import photos
from experiments.converters import convert_vgg16 as convert
from systems import vgg16

import keras
import numpy as np
import onnx
import pytest


def save_onnx(path, names, random):
    """Save a chain of convolutions, three channels wide, named as in the package; return them."""
    kernels = {name: random.normal(size=(3, 3, 3, 3)).astype(np.float32) for name in names}
    biases = {name: random.normal(size=3).astype(np.float32) for name in names}
    nodes, given = [], "input"
    for name in names:
        inputs = [given, f"{name}/kernel", f"{name}/bias"]
        given = f"{name}/output"
        label = f"functional_1/{name}_1/BiasAdd"
        nodes.append(onnx.helper.make_node("Conv", inputs, [given], name=label, pads=[1] * 4))
    arrays = {f"{name}/kernel": kernels[name] for name in names}
    arrays |= {f"{name}/bias": biases[name] for name in names}
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 8, 8])
        for name in ("input", given)
    ]
    weights = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = onnx.helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    onnx.save(onnx.helper.make_model(graph), path)
    return kernels, biases


def test_the_weights_are_read_in_the_order_of_keras_with_red_first(tmp_path):
    path = tmp_path / "vgg.onnx"
    kernels, biases = save_onnx(path, convert.OXFORD, np.random.default_rng(0))
    found = convert.original_weights(path)
    assert list(found) == list(convert.OXFORD)
    for name, (kernel, bias) in found.items():
        np.testing.assert_array_equal(bias, biases[name])
        order = [2, 1, 0] if name == "block1_conv1" else [0, 1, 2]
        for given in range(3):
            expected = kernels[name][1, order[given]]  # of the second map, rows and columns
            np.testing.assert_array_equal(kernel[:, :, given, 1], expected)


def test_another_network_is_refused(tmp_path):
    names = list(convert.OXFORD)[:-1]
    save_onnx(tmp_path / "short.onnx", names, np.random.default_rng(0))
    with pytest.raises(UserError, match=r"holds the layers .*, not those of VGG-16"):
        convert.original_weights(tmp_path / "short.onnx")
    with pytest.raises(UserError, match="cannot be read; pip install"):
        convert.original_weights(tmp_path / "none.onnx")


def test_one_changed_weight_or_bias_tells_a_fine_tuned_layer():
    shipped = {}
    for layer in keras.saving.load_model(vgg16.ENCODER, compile=False).layers:
        if layer.weights:
            shipped[layer.name] = layer.get_weights()
    assert list(shipped) == list(convert.OXFORD)[:7]
    assert convert.changed_layers(shipped) == []
    shipped["block2_conv1"][1][0] *= 1.001
    shipped["block3_conv3"][0][0, 0, 0, 0] += 1e-6
    assert convert.changed_layers(shipped) == ["block2_conv1", "block3_conv3"]


def test_what_is_built_is_the_shipped_encoder():
    shipped = keras.saving.load_model(vgg16.ENCODER, compile=False)
    weights = {layer.name: layer.get_weights() for layer in shipped.layers if layer.weights}
    rgb = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    built = convert.build(weights, "block3_conv3")
    found = built.predict(rgb, verbose=0)
    np.testing.assert_allclose(found, shipped.predict(rgb, verbose=0), rtol=1e-5)
    assert found.shape == (1, 4, 4, 256)
    assert built.count_params() == 1_735_488


def test_the_probe_finds_classes_that_features_tell_and_no_others():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 50)
    telling = 100 + np.eye(4)[labels] + random.normal(size=(200, 4)) / 10
    silent = random.normal(size=(200, 8))
    odd, even = slice(1, None, 2), slice(0, None, 2)
    for found, least, most in ((telling, 0.99, 1), (silent, 0.05, 0.45)):
        accuracy = convert.probe(found[odd], labels[odd], found[even], labels[even])
        assert least <= accuracy <= most


def test_the_difference_of_a_gray_copy_is_a_share_of_the_features():
    colour = np.array([[3.0, 4.0], [0.0, 2.0]])
    assert convert.gray_difference(colour, colour) == 0
    gray = np.array([[3.0, 9.0], [1.0, 2.0]])
    assert convert.gray_difference(colour, gray) == pytest.approx((5 / 5 + 1 / 2) / 2)


def test_photographs_are_read_by_class(tmp_path):
    for name, level in (("a", 10), ("b", 200)):
        for number in range(3):
            (tmp_path / name).mkdir(exist_ok=True)
            rgb = np.full((20, 30, 3), level, np.uint8)
            photos.write_png(tmp_path / name / f"{number}.png", rgb)
    found, labels = convert.read_classes(tmp_path, 2)
    assert found.shape == (4, convert.SIDE, convert.SIDE, 3)
    np.testing.assert_array_equal(labels, [0, 0, 1, 1])
    np.testing.assert_array_equal(found[:, 0, 0, 0], [10, 10, 200, 200])
    with pytest.raises(UserError, match="holds no two folders of photographs"):
        convert.read_classes(tmp_path / "a", 2)
