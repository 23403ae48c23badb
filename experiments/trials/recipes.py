"""The variants that variants.py measures: of each, its system and its settings."""

import train
from systems import classify, pix2pix, regress, vgg16


def paper(epochs=10, **changes):
    """Return the paper's system and its settings, these changed."""
    return train.PaperGAN, train.PaperSettings(epochs=epochs, **changes)


def reference(system, epochs, **changes):
    """Return a system as `python train.py --system NAME --epochs EPOCHS` trains it, or changed."""
    return system, system.Settings(epochs=epochs, **changes)


INGREDIENTS = {
    "paper_10_epochs": paper(),
    "without_adversary": paper(adversarial_weight=0),
    "without_pixel_loss": paper(pixel_weight=0),
    "hard_labels": paper(label_softness=0, label_flips=0),
    "two_discriminator_updates": paper(discriminator_updates=2),
    "without_dilation": paper(dilations=False),
    "without_skips": paper(skips=False),
    "leaky_discriminator": paper(discriminator_slope=0.2),
}
# Adam beside SGD at three rates, of which none is known to be right.
OPTIMIZERS = {
    "paper_1_epoch": paper(epochs=1),
    "sgd_rate_1e_2": paper(epochs=1, momentum=0.9, learning_rate=1e-2),
    "sgd_rate_1e_3": paper(epochs=1, momentum=0.9, learning_rate=1e-3),
    "sgd_rate_1e_4": paper(epochs=1, momentum=0.9, learning_rate=1e-4),
}
# pix2pix and VGG-16 need for one epoch as long as the others for ten.
REFERENCES = {
    "paper_1_epoch": paper(epochs=1),
    "regress_1_epoch": reference(regress.Regress, 1),
    "classify_1_epoch": reference(classify.Classify, 1),
    "pix2pix_1_epoch": reference(pix2pix.Pix2pix, 1),
    # Twice as fast as float32 where it was trained, a processor with bfloat16 in hardware.
    "vgg16_1_epoch": reference(vgg16.Vgg16, 1, precision="mixed_bfloat16"),
    "paper_10_epochs": paper(),
    "regress_10_epochs": reference(regress.Regress, 10),
    "classify_10_epochs": reference(classify.Classify, 10),
}
GROUPS = {"ingredients": INGREDIENTS, "systems": REFERENCES, "optimizers": OPTIMIZERS}
