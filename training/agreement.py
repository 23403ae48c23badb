"""One thing in one colour: losses on pairs of places, beside those on each place alone.

Chroma is predicted and true (B, h, w, 2), in Lab's units.
"""

from keras import ops

# How far apart pairs are, in pixels of half the picture: parts of a thing, and whole ones.
DISTANCES = 2, 6, 16, 40
# Pairs whose true chroma is apart by d count as exp(-d^2 / ALIKE).
ALIKE = 32
# Under a root, so that its gradient is finite at 0.
LEAST = 1e-3


def pairs(values, distance):
    """Yield the differences (B, ..., C) of values (B, h, w, C) at places so far apart, both ways.

    Ways are down, right, and both diagonals at a distance as long.
    """
    slanted = max(1, round(distance / 2**0.5))
    height, width = values.shape[1:3]
    if distance < height:
        yield values[:, distance:] - values[:, :-distance]
    if distance < width:
        yield values[:, :, distance:] - values[:, :, :-distance]
    if slanted < min(height, width):
        yield values[:, slanted:, slanted:] - values[:, :-slanted, :-slanted]
        yield values[:, slanted:, :-slanted] - values[:, :-slanted, slanted:]


def length(vectors):
    """Return the lengths of vectors (..., C)."""
    return ops.sqrt(ops.sum(vectors**2, axis=-1) + LEAST)


def disagreement(chroma, truth):
    """Return how far apart the chroma is of places whose true chroma is alike, in Lab's units.

    It falls when everything becomes gray: colourfulness pays for it.
    """
    found, count = 0.0, 0
    for distance in DISTANCES:
        for ours, true in zip(pairs(chroma, distance), pairs(truth, distance), strict=True):
            alike = ops.exp(-ops.sum(true**2, axis=-1) / ALIKE)
            found = found + ops.sum(alike * length(ours)) / (ops.sum(alike) + 1)
            count += 1
    return found / count


def difference(chroma, truth):
    """Return how wrong the differences are between places, alike or not, in Lab's units.

    As `disagreement` where they are alike; where they are not, too little difference costs as much
    as too much, so that gray is no way out. Half of it is of places that are alike.
    """
    found, count = 0.0, 0
    for distance in DISTANCES:
        for ours, true in zip(pairs(chroma, distance), pairs(truth, distance), strict=True):
            alike = ops.exp(-ops.sum(true**2, axis=-1) / ALIKE)
            wrong = length(ours - true)
            for weight in (alike, 1 - alike):
                found = found + ops.sum(weight * wrong) / (ops.sum(weight) + 1)
            count += 2
    return found / count
