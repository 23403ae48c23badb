"""Losses in chroma that several systems use."""

from training import colour

from keras import ops

# Differences of chroma below this count by their square, those above by their size. Silent in
# Zhang et al. 2017, who use a smooth L1. Here: about four just noticeable differences.
SMOOTH_L1_WIDTH = 10


def true_chroma(ground_truth, prediction):
    """Return the chroma of RGB (B, H, W, 3) in [0, 1], shrunk to the size of a prediction."""
    shrink = ground_truth.shape[1] // prediction.shape[1]
    shrunk = ops.average_pool(ground_truth, shrink, strides=shrink)
    return colour.lab_from_srgb(shrunk)[..., 1:]


def smooth_l1(chroma, truth, rarity):
    """Return the smooth L1 difference of predicted chroma (B, h, w, 2) from true chroma.

    `rarity` is how much each bin's pixels count, as from `colour.rarity_weights`. In Lab's units.
    Source: Girshick 2015; for colour, Zhang et al. 2017.
    """
    distance = ops.abs(chroma - truth)
    small = ops.minimum(distance, SMOOTH_L1_WIDTH)
    # The square up to the width, and the straight line that continues it.
    loss = small**2 / (2 * SMOOTH_L1_WIDTH) + distance - small
    weights = ops.take(rarity, colour.nearest_bin(truth), axis=0)
    return ops.mean(weights * ops.mean(loss, axis=-1))


def bins_cross_entropy(logits, truth, rarity):
    """Return the cross-entropy (nats) of logits over bins (B, h, w, 261) against true chroma.

    `rarity` as in `smooth_l1`. Source: Zhang et al. 2016, equation 2.
    """
    found, shares = colour.soft_encode(truth)
    log_probabilities = ops.take_along_axis(ops.log_softmax(logits, axis=-1), found, axis=-1)
    weights = ops.take(rarity, colour.nearest_bin(truth), axis=0)
    return -ops.mean(weights * ops.sum(shares * log_probabilities, axis=-1))
