"""What `train.fit` asks of a system: its members, and what most systems have in common."""

from colorizer.pixels import to_unit


class System:
    """The base of every system: a generator and how it learns.

    A system is made of its settings and the training split. It has

        Settings               the dataclass of its settings, a `training.settings.Settings`
        LOSSES                 the names of its losses, the columns of history.csv
        settings               what it was made of
        generator, averaged    the network that is trained, and the one that is kept
        train_step(*batch)     trains on a batch that `draw` returned; returns the losses, by name

    and the members below. A checkpoint holds each Keras model and optimizer among its attributes.
    """

    # The side, in pixels, of the square whose area the kept generator wants to see of a photograph;
    # its file says so. Here: the size of the paper's pictures. None: the file says nothing.
    working_size = 120

    def draw(self, random, gray, rgb) -> tuple:
        """Return a batch as `train_step` takes it, float32 in [0, 1].

        `gray` uint8 (B, H, W, 1) and `rgb` uint8 (B, H, W, 3) are training pictures; `random` is
        the numpy Generator of this step.
        """
        return to_unit(gray), to_unit(rgb)

    def test_pairs(self, gray, rgb) -> tuple:
        """Return what the generator is given of test pictures, and what it ought to make of them.

        `gray` and `rgb` as `draw` takes them. Both results are float32 in [0, 1].
        """
        return to_unit(gray), to_unit(rgb)
