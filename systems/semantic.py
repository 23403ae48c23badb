"""The colorizer that ships: EfficientNet-Lite0, a light U-Net decoder, and known colours.

It keeps the luminance of the picture and predicts Lab chroma. A second input says which colours are
known, from a person's points, a reference photograph or the frame before in a film; the network
takes them from there to what belongs to them. Where nothing is known it colorizes alone.
"""

import dataclasses
import functools

from colorizer.chroma import CHROMA_SCALE
from colorizer.pixels import shrink, to_unit
from pictures import ageing, dataset, places, things
from training import agreement, colour, losses, steps
from training.efficientnet import (
    TOTAL_STRIDE,
    build_encoder,
    efficientnet_lite,
    encoder_layers,
    freeze,
    load_encoder,
)
from training.layers import crop, enlarge, load_layers, pad, positions
from training.settings import Settings
from training.system import System

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

# Edges and textures look the same in gray: the first two stages stay, and a step is 15% faster.
FROZEN_STAGES = 2
# The encoder's features have a deviation of about 6, layers start best with 1.
FEATURE_SCALE = 1 / 6
# The last layer starts small, so that the first pictures are nearly gray, and its output is scaled
# by CHROMA_SCALE, so that it moves as fast as other layers do.
FIRST_DEVIATION = 0.001
# Of the vectors by which places are found to look alike.
LIKENESS_WIDTH = 32
# How much likeness the longer side of a picture costs, times what the network makes of it.
NEARNESS = 20.0
# How much a place of which no colour is known is looked at.
UNKNOWN = 1e-9
# Chroma over 110 is mostly below 0.3, features are about 1: this makes it heard among them.
KNOWN_SCALE = 4
CORRECTION_WIDTH = 16
# A mean of likely colours is paler than any of them: what is painted alone is painted this much
# stronger than it is predicted. What is known is not.
VIVIDNESS = 1.15


@dataclasses.dataclass(frozen=True, kw_only=True)
class SemanticSettings(Settings):
    """How it is trained; experiments/README.md has the trials that chose this."""

    epochs: int = 16
    batch_size: int = 32
    learning_rate: float = 1e-3
    output: str = "outputs/semantic"
    least_colourfulness: float = 8
    rarity_exponent: float = 0.5
    # An encoder that is trained already is only adapted: at the decoder's rate it forgets the
    # classes that it is not shown again.
    encoder_rate: float = 0.03
    # The pixels that a step sees of a picture, and those in the last share of the steps: most is
    # learned from small parts, at a third of the cost, and last what whole pictures look like. What
    # goes on from an earlier training has learned that most and sees large parts throughout.
    crop: int = 128
    last_crop: int = 192
    last_share: float = 0.1
    # One step in so many teaches all; the others, in less than half the time, only the decoder to
    # paint alone, which takes the most pictures.
    whole_every: int = 4
    # DDColor weighs its perceptual loss 50 times its L1 of chroma in [-1, 1]. Here: beside a smooth
    # L1 in Lab's units, of about 8, to which it adds about as much.
    perceptual_weight: float = 5
    # The share of pictures of which nothing is known (to paint alone it learns from all), and of
    # those with known places the share whose hues are turned by chance, so that what is said counts
    # more than what is likely.
    unknown_share: float = 0.1
    turned_share: float = 0.2
    # Of those with known places, the share of which one thing is given points and, mostly, another
    # colour: what is beside it keeps its own.
    thing_share: float = 0.5
    # The share of pictures that are made old before the network sees them.
    aged_share: float = 0.6
    # How often colours go from place to place that looks like it, before they are painted.
    gatherings: int = 2
    # To be tried: the weight of the loss on pairs, `agreement.difference`.
    difference_weight: float = 0
    # Widths of the decoder at 1/16, 1/8, 1/4 and 1/2 of the picture's sides.
    decoder_widths: tuple = (128, 96, 64, 32)
    # What an earlier training left, to go on from with other pictures or for longer.
    start: str | None = None

    def parts(self) -> tuple:
        return self.crop, self.last_crop


# --------------------------------------------------------------------------------- the generator


def decoder_stage(x, skip, width, name):
    """Double the resolution, concatenate the encoder's features, convolve."""
    # Enlarged before it is convolved, so that no checkerboard can arise.
    x = layers.UpSampling2D(2, name=f"{name}_double")(x)
    x = layers.Concatenate(name=f"{name}_skip")([x, skip])
    x = layers.Conv2D(
        width, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def known_cells(values, mask, factor, name):
    """Shrink values (B, h, w, C) by `factor`: a cell has the mean over what is known in it.

    `mask` (B, h, w, 1) is 1 where anything is known. Returns the means, (B, h / factor, w / factor,
    C), 0 where nothing is known, and (B, h / factor, w / factor, 1), 1 where anything is.
    """
    sums = layers.AveragePooling2D(factor, name=f"{name}_sums")(values * mask)
    share = layers.AveragePooling2D(factor, name=f"{name}_share")(mask)
    any_known = layers.MaxPooling2D(factor, name=f"{name}_any")(mask)
    return sums / (share + 1e-4), any_known


class Likeness:
    """What tells which places look alike: the same wherever in the network it is asked."""

    def __init__(self):
        """Make its layers, which learn from hints and from what is painted alone."""
        self.likeness = layers.Conv2D(LIKENESS_WIDTH, 1, name="spread_likeness")
        self.reach = layers.Conv2D(1, 1, activation="softplus", name="spread_reach")

    def __call__(self, x, name):
        """Return what a place asks, and what it answers: (B, h, w, LIKENESS_WIDTH + 4) each.

        Their product is how alike two places of features `x` (B, h, w, C) are, less for their
        distance.
        """
        likeness, reach = self.likeness(x), self.reach(x)
        rows, columns = (ops.cast(positions(x, axis), "float32") for axis in (1, 2))
        longest = ops.maximum(ops.max(rows), ops.max(columns)) + 1
        nothing = 0 * x[..., :1]
        rows = rows[None, :, None, None] / longest + nothing
        columns = columns[None, None, :, None] / longest + nothing
        # Its product with another place's is minus the squared distance, times what reach says.
        far = NEARNESS * reach
        squared = rows**2 + columns**2
        query = layers.Concatenate(name=f"{name}_query")(
            [
                likeness / np.sqrt(LIKENESS_WIDTH),
                2 * far * rows,
                2 * far * columns,
                -far * squared,
                -far,
            ]
        )
        key = [likeness, rows, columns, nothing + 1, squared]
        return query, layers.Concatenate(name=f"{name}_key")(key)


def gather(chroma, decoded, look_alike, times):
    """Make chroma (B, H/2, W/2, 2) agree with that of places that look alike, by attention at 1/8.

    So many `times` colours go from place to place. As far as the mean of a place of 4x4 is then
    from what it was, so far the place is moved: what is finer stays.

    Source: the self-attention of Zhang et al. 2019 (SAGAN), here over colours; non-local means,
    Buades et al. 2005.
    """
    sixteenth, eighth, quarter, _ = decoded
    # The places of `correct`, half as large: likeness is a linear layer.
    parts = [layers.UpSampling2D(2)(sixteenth), eighth, layers.AveragePooling2D(2)(quarter)]
    query, key = look_alike(layers.Concatenate(name="gather_places")(parts), "gather")
    own = layers.AveragePooling2D(4, dtype="float32", name="gather_own")(chroma)
    key = layers.Reshape((-1, LIKENESS_WIDTH + 4), name="gather_keys")(key)
    shares = ops.softmax(ops.einsum("bhwc,bnc->bhwn", query, key))
    found = own
    for _ in range(times):
        values = layers.Reshape((-1, 2), dtype="float32")(found)
        found = ops.einsum("bhwn,bnc->bhwc", shares, values)
    return chroma + enlarge(found - own, 4, "gather_change", dtype="float32")


def spread(x, values, mask, look_alike):
    """Give every place what is known of places that are near it and look like it.

    `x` (B, 2 h, 2 w, C) are features at 1/4, `values` (B, 4 h, 4 w, 2) what is known where `mask`
    (B, 4 h, 4 w, 1) is 1. Returns values (B, 2 h, 2 w, 2), and how much of the attention found any,
    (B, 2 h, 2 w, 1) in [0, 1]: all zeros where nothing is known.

    Source: attention, Vaswani et al. 2017, in which only known places are looked at, or none; the
    idea of colour that spreads by likeness is Levin et al. 2004.
    """
    none = layers.Conv2D(1, 1, name="spread_none")(x)  # the likeness of no place at all
    query, key = look_alike(x, "spread")
    quarter_mask = layers.MaxPooling2D(2, name="spread_mask")(mask)
    key, any_known = known_cells(key, quarter_mask, 2, "spread_key")
    values, _ = known_cells(values, mask, 4, "spread_values")
    key = layers.Reshape((-1, LIKENESS_WIDTH + 4), name="spread_keys")(key)  # N places
    values = layers.Reshape((-1, 2), name="spread_found")(values)
    # A place is looked at as much as it is known, and not at all where it is not.
    known = layers.Reshape((-1, 1), name="spread_known")(any_known)
    found = ops.einsum("bhwc,bnc->bhwn", query, key) + ops.log(known[:, None, None, :, 0] + UNKNOWN)
    shares = ops.softmax(layers.Concatenate(name="spread_shares")([found, none]))[..., :-1]
    return ops.einsum("bhwn,bnc->bhwc", shares, values), ops.einsum("bhwn,bnc->bhwc", shares, known)


def chroma_convolution(name):
    """Return the layer that turns features into chroma over CHROMA_SCALE, near 0 at first."""
    start = keras.initializers.RandomNormal(stddev=FIRST_DEVIATION)
    return layers.Conv2D(
        2, 3, padding="same", kernel_initializer=start, dtype="float32", name=f"{name}_conv"
    )


def chroma_of(x, name):
    """Convolve features into chroma in Lab's units, which begins near 0 and is float32."""
    x = chroma_convolution(name)(x)
    return layers.Rescaling(CHROMA_SCALE, dtype="float32", name=name)(x)


def decode(features, widths):
    """Return the decoder's features at 1/16, 1/8, 1/4 and 1/2 of the picture's sides."""
    # 64x64x16, 32x32x24, 16x16x40, 8x8x112, 4x4x320
    *skips, x = (
        layers.Rescaling(FEATURE_SCALE, name=f"features{number}")(feature)
        for number, feature in enumerate(features, start=1)
    )
    decoded = []
    for number, width in zip((4, 3, 2, 1), widths, strict=True):
        x = decoder_stage(x, skips.pop(), width, f"up{number}")
        decoded.append(x)
    return decoded  # 8x8x128, 16x16x96, 32x32x64, 64x64x32


def correct(automatic, known, decoded, look_alike):
    """Correct chroma (B, H/2, W/2, 2) in Lab's units by what is known, and where nothing is, not.

    As far as known colours are from the automatic ones, so far, by their share, are the colours of
    places near them that look like them.
    """
    # What is known teaches how far its colour goes, not what is likely.
    automatic = ops.stop_gradient(automatic)
    mask = known[..., 2:]
    amiss = layers.Rescaling(CHROMA_SCALE, name="known_chroma")(known[..., :2]) - automatic
    # What a place is and what it looks like, from all that the decoder knows of it.
    *coarser, half = decoded
    factors = (4, 2, 1)
    places = layers.Concatenate(name="places")(
        [layers.UpSampling2D(factor)(x) for factor, x in zip(factors, coarser, strict=True)]
    )
    found, share = spread(places, amiss, mask, look_alike)
    found, share = enlarge(found, 2, "found"), enlarge(share, 2, "share")
    parts = layers.Concatenate(name="chromas")([automatic, found, amiss * mask])
    parts = layers.Rescaling(KNOWN_SCALE / CHROMA_SCALE, name="chromas_scaled")(parts)
    x = layers.Concatenate(name="correction_parts")([half, parts, share, mask])
    x = layers.Conv2D(
        CORRECTION_WIDTH, 3, padding="same", activation="relu", name="correction_features"
    )(x)
    return automatic + found + share * chroma_of(x, "correction")


def automatic_chroma(decoded, look_alike):
    """Return the chroma that is painted alone, (B, H/2, W/2, 2), each place for itself."""
    return chroma_of(decoded[-1], "automatic")


def agreeing_chroma(decoded, look_alike, times):
    """Return the chroma that is painted alone, (B, H/2, W/2, 2), alike where places look alike."""
    each = chroma_convolution("automatic")(decoded[-1])
    each = layers.Rescaling(CHROMA_SCALE, dtype="float32", name="each")(each)
    agreeing = gather(each, decoded, look_alike, times)
    return layers.Identity(dtype="float32", name="automatic")(agreeing)


def build_generator(
    seed=0,
    widths=SemanticSettings.decoder_widths,
    head=automatic_chroma,
):
    """Build the generator that paints what it recognises and what it is told.

    Maps grayscale (B, H, W, 1) float32 in [0, 1] and known (B, H/2, W/2, 3) float32, Lab's a and b
    over 110 where a colour is known and a mask in [0, 1], to (B, H, W, 3) float32 RGB in [0, 1]; H
    and W are multiples of 8, from 32 up. All zeros: nothing is known. "automatic" is the chroma
    (B, H/2, W/2, 2) that it predicts alone, VIVIDNESS times which it paints, "prediction" that with
    what is known, in Lab's units where H and W are multiples of 32. Raises UserError when the
    encoder cannot be loaded.
    """
    keras.utils.set_random_seed(seed)
    gray = layers.Input((None, None, 1), name="grayscale")  # 128x128x1
    known = layers.Input((None, None, 3), name="known")  # 64x64x3
    padded, padded_known = gray, known
    for axis in (1, 2):
        padded = pad(padded, axis, TOTAL_STRIDE, "pad")
        padded_known = pad(padded_known, axis, TOTAL_STRIDE // 2, "pad_known")
    rgb = layers.Concatenate(name="gray_as_rgb")([padded] * 3)  # 128x128x3
    decoded = decode(efficientnet_lite(rgb), widths)
    look_alike = Likeness()
    automatic = head(decoded, look_alike)  # 64x64x2
    vivid = layers.Rescaling(VIVIDNESS, dtype="float32", name="vivid")(automatic)
    chroma = correct(vivid, padded_known, decoded, look_alike)  # 64x64x2
    chroma = layers.Identity(dtype="float32", name="prediction")(chroma)
    chroma = enlarge(chroma, 2, "chroma_full", dtype="float32")  # 128x128x2
    painted = colour.srgb_from_lab(colour.lightness_from_gray(gray), crop(chroma, gray))
    generator = keras.Model([gray, known], painted, name="generator")  # 128x128x3
    load_encoder(generator)
    freeze(generator, FROZEN_STAGES)
    return generator


def load_generator(generator, path) -> None:
    """Give a generator the weights of one of its kind; raises UserError when there is none."""
    load_layers(
        generator.layers,
        path,
        "holds no generator to start from; give --start the generator.keras that train.py --system "
        "semantic wrote",
    )


# --------------------------------------------------------------------------------- the training


def halved(grayscale, ground_truth):
    """Return lightness (B, H/2, W/2, 1) and true chroma (B, H/2, W/2, 2), in Lab's units.

    That is the size at which chroma is predicted, and at which an encoder costs a quarter.
    """
    half_gray = ops.average_pool(grayscale, 2, strides=2)
    return colour.lightness_from_gray(half_gray), losses.true_chroma(ground_truth, half_gray)


def known_colours(truth, mask):
    """Return the second input: chroma (B, h, w, 2) in Lab's units where mask (B, h, w, 1) is 1.

    Softened a little, because what a person or a film says is never exact.
    """
    soft = ops.average_pool(truth, 3, strides=1, padding="same")
    return ops.concatenate([soft * mask / CHROMA_SCALE, mask], axis=-1)


def turn(chroma, where, changes):
    """Return chroma (B, h, w, 2) that is changed by as much as `where` (B, h, w, 1) says.

    `changes` (B, 4) are the angle in radians by which hues are turned, a factor, and an offset's a
    and b in Lab's units.
    """
    a, b = chroma[..., 0], chroma[..., 1]
    angle, factor, *offset = (changes[:, None, None, each] for each in range(4))
    cos, sin = factor * ops.cos(angle), factor * ops.sin(angle)
    turned = ops.stack([cos * a - sin * b + offset[0], sin * a + cos * b + offset[1]], axis=-1)
    return chroma + where * (turned - chroma)


def perceptual_loss(encoder, painted, truth):
    """Return how far painted pictures are from the truth as a frozen encoder sees them.

    Both are RGB (B, h, w, 3) in [0, 1]. The mean absolute difference of its features at 1/4 to 1/32
    of their sides, each over the mean of the true ones, summed.
    Source: Johnson et al. 2016; DDColor's main loss, there with VGG-16.
    """
    total = 0
    for found, wanted in zip(encoder(painted)[1:], encoder(truth)[1:], strict=True):
        total = total + ops.mean(ops.abs(found - wanted)) / ops.mean(ops.abs(wanted))
    return total


class TwoRates(keras.optimizers.Adam):
    """Adam with `encoder_rate` times its learning rate for the layers of a trained encoder."""

    def __init__(self, *given, encoder_rate, **more):
        super().__init__(*given, **more)
        self.encoder_rate = encoder_rate

    def build(self, variables):
        super().build(variables)
        self.adapted = [variable.path.startswith("encoder_") for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        if self.adapted[self._get_variable_index(variable)]:
            learning_rate = learning_rate * self.encoder_rate
        super().update_step(gradient, variable, learning_rate)


class Semantic(System):
    """The generator, how it learns, and the moving average of it that is kept."""

    Settings = SemanticSettings
    LOSSES = ("generator_loss", "automatic_loss", "perceptual_loss", "known_loss")
    # docs/results.md compares sizes; it learned last from parts of 192 pixels.
    working_size = 224

    def __init__(self, settings, train_split):
        self.settings = settings
        self.rarity = steps.rarity_of_bins(train_split, settings.rarity_exponent)
        self.generator, self.averaged = steps.built(settings, self.build)
        if settings.start:
            load_generator(self.generator, settings.start)
            self.averaged.set_weights(self.generator.get_weights())
        self.predictor = steps.predictor(self.generator, "automatic", "prediction")
        gray, _ = self.generator.inputs
        self.alone = keras.Model(gray, self.generator.get_layer("automatic").output)
        encoder = encoder_layers(self.generator)
        self.decoder_weights = [
            weight
            for layer in self.alone.layers
            if layer not in encoder
            for weight in layer.trainable_variables
        ]
        optimizer = TwoRates(
            steps.cosine(settings, train_split.pictures), encoder_rate=settings.encoder_rate
        )
        self.generator_optimizer = steps.ready(optimizer, self.generator, settings)
        self.frozen = build_encoder()
        all_steps = steps.count(settings, train_split.pictures)
        self.last_step = 0 if settings.start else round((1 - settings.last_share) * all_steps)

    def build(self):
        """Build the generator as the settings say."""
        settings, head = self.settings, automatic_chroma
        if settings.gatherings:
            head = functools.partial(agreeing_chroma, times=settings.gatherings)
        return build_generator(settings.seed, settings.decoder_widths, head)

    def draw(self, random, gray, rgb):
        """Return a batch as the step takes it: gray, colour, known places, what is changed there.

        Gray and colour alone for a step that is not whole.
        """
        settings = self.settings
        step = int(self.generator_optimizer.iterations)
        crop = settings.crop if step < self.last_step else settings.last_crop
        gray, rgb = dataset.flip_and_crop(random, gray, rgb, crop)
        gray, rgb = ageing.age(random, gray, rgb, settings.aged_share)
        if step % settings.whole_every:
            return to_unit(gray), to_unit(rgb)
        return to_unit(gray), to_unit(rgb), *self.draw_known(random, rgb)

    def draw_known(self, random, rgb):
        """Draw known places, and what is said there of pictures uint8 (B, H, W, 3), as `turn` does.

        Returns the mask of the places and where chroma is changed, float32 (B, H/2, W/2, 1) both,
        and the changes, float32 (B, 4).
        """
        settings = self.settings
        mask = places.draw(random, len(rgb), rgb.shape[1] // 2, settings.unknown_share)
        where, changes = np.ones_like(mask), np.zeros((len(rgb), 4), np.float32)
        changes[:, 1] = 1
        known = mask.any(axis=(1, 2, 3))
        turned = known & (random.random(len(rgb)) < settings.turned_share)
        changes[turned, 0] = random.uniform(-np.pi, np.pi, turned.sum())
        for number in np.flatnonzero(known & (random.random(len(rgb)) < settings.thing_share)):
            half = shrink(rgb[number], *mask.shape[1:3])
            found = things.draw(random, half, mask[number, ..., 0])
            if found is not None:
                where[number, ..., 0], changes[number] = found
        return mask, where, changes

    def train_step(self, *batch):
        """Train on one batch, all or, of a batch without known places, the decoder alone."""
        return self.decoder_step(*batch) if len(batch) == 2 else self.whole_step(*batch)

    def losses_alone(self, automatic, lightness, truth):
        """Return the loss on chroma and the perceptual loss of what is painted alone."""
        alone = losses.smooth_l1(automatic, truth, self.rarity)
        if self.settings.difference_weight:
            alone += self.settings.difference_weight * agreement.difference(automatic, truth)
        painted, true_rgb = (colour.srgb_from_lab(lightness, each) for each in (automatic, truth))
        return alone, perceptual_loss(self.frozen, painted, true_rgb)

    @tf.function
    def decoder_step(self, grayscale, ground_truth):
        """Train the decoder to paint alone; return the losses, by name.

        Grayscale (B, H, W, 1) and ground truth (B, H, W, 3), float32 in [0, 1].
        """
        lightness, truth = halved(grayscale, ground_truth)
        with tf.GradientTape() as tape:
            automatic = self.alone(grayscale, training=True)
            alone, perceptual = self.losses_alone(automatic, lightness, truth)
            loss = alone + self.settings.perceptual_weight * perceptual
            steps.update(self, tape, loss, self.decoder_weights)
        return {
            "generator_loss": loss,
            "automatic_loss": alone,
            "perceptual_loss": perceptual,
            "known_loss": ops.zeros(()),
        }

    @tf.function
    def whole_step(self, grayscale, ground_truth, mask, where, changes):
        """Train all of the generator on one batch; return the losses, by name.

        Grayscale (B, H, W, 1) and ground truth (B, H, W, 3), float32 in [0, 1]; mask
        (B, H/2, W/2, 1) float32, 1 where colours are known; `where` and `changes` as `turn` takes
        them, of the truth that is known.
        """
        lightness, truth = halved(grayscale, ground_truth)
        turned = turn(truth, where, changes)
        with tf.GradientTape() as tape:
            automatic, chroma = self.predictor(
                [grayscale, known_colours(turned, mask)], training=True
            )
            alone, perceptual = self.losses_alone(automatic, lightness, truth)
            told = losses.smooth_l1(chroma, turned, self.rarity)
            loss = alone + self.settings.perceptual_weight * perceptual + told
            steps.update(self, tape, loss)
        return {
            "generator_loss": loss,
            "automatic_loss": alone,
            "perceptual_loss": perceptual,
            # The steps that are not whole have none; so the mean over all steps is its mean.
            "known_loss": self.settings.whole_every * told,
        }
