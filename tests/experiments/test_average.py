"""average.py: each weight lies between two, as far as the share says."""

from colorizer.errors import UserError
from experiments.trials import average

import keras
import numpy as np
import pytest


def network(weight, width=1):
    gray = keras.Input((None, None, 1))
    layer = keras.layers.Conv2D(width, 1, name="paint")
    model = keras.Model(gray, layer(gray))
    layer.set_weights([np.full((1, 1, 1, width), weight), np.full(width, -weight)])
    return model


def test_a_share_of_the_first_is_left():
    generator = network(1.0)
    average.average(generator, network(5.0), 0.75)
    kernel, bias = generator.get_layer("paint").get_weights()
    np.testing.assert_allclose(kernel, 2.0)
    np.testing.assert_allclose(bias, -2.0)


def test_networks_of_different_kinds_are_refused():
    with pytest.raises(UserError, match="paint differs"):
        average.average(network(1.0), network(1.0, width=3), 0.5)


def test_a_folder_without_a_run_is_named(tmp_path, capsys):
    assert average.main([str(tmp_path), "weights/semantic.keras", str(tmp_path / "out")]) == 2
    assert "holds no finished run" in capsys.readouterr().err
