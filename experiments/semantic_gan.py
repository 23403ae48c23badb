"""The semantic generator with an adversary: the paper's discriminator, which sees the gray too."""

import dataclasses

import models
import train
from systems import semantic
from training import losses, steps

import keras
import tensorflow as tf
from keras import ops


@dataclasses.dataclass(frozen=True, kw_only=True)
class SemanticGANSettings(semantic.SemanticSettings):
    """How it is trained: as the semantic generator is, and then by the adversary as well."""

    adversarial_weight: float = 1
    # The epoch, from 0, in which the adversary begins to pull on the generator. Until then it
    # learns from colours that nobody has fitted to it.
    adversarial_from_epoch: int = 1
    label_softness: float = 0.2
    label_flips: float = 0.05


def seen(grayscale, rgb):
    """Return what the discriminator sees of a picture, (B, H, W, 4): RGB and gray, in [0, 1].

    Conditional, as in pix2pix: are these likely colours of this gray picture?
    """
    return ops.concatenate([rgb, grayscale], axis=-1)


class SemanticGAN(semantic.Semantic):
    """Both networks, how they learn, and the moving average of the generator that is kept."""

    Settings = SemanticGANSettings
    LOSSES = ("generator_loss", "discriminator_loss", "chroma_loss")

    def __init__(self, settings, train_split):
        super().__init__(settings, train_split)
        # Both what the discriminator sees and what the loss is about, of one execution.
        self.painter = keras.Model(
            self.generator.input, [self.generator.output, self.predictor.output]
        )
        with steps.precision(settings.precision):
            self.discriminator = models.build_discriminator(channels=4, seed=settings.seed)
        self.discriminator_optimizer = steps.ready(
            keras.optimizers.Adam(settings.learning_rate), self.discriminator, settings
        )
        steps_an_epoch = train_split.pictures // settings.batch_size
        self.first_adversarial_step = settings.adversarial_from_epoch * steps_an_epoch

    def draw(self, random, gray, rgb):
        """Return a batch as the step takes it: gray, colour, labels of real and generated ones."""
        labels = train.soft_noisy_labels(random, (len(gray), 1), self.settings)
        return *super().draw(random, gray, rgb), *labels

    def adversarial_weight(self):
        """Return the weight of the adversarial loss in this step, 0 before its first epoch."""
        begun = self.generator_optimizer.iterations >= self.first_adversarial_step
        return self.settings.adversarial_weight * ops.cast(begun, "float32")

    @tf.function
    def train_step(self, grayscale, ground_truth, real_labels, generated_labels):
        """Train both networks on grayscale (B, H, W, 1) and ground truth (B, H, W, 3) in [0, 1].

        Labels (B, 1) of the photographs and of the generated pictures.
        """
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            generated, prediction = self.painter(grayscale, training=True)
            real_answer = self.discriminator(seen(grayscale, ground_truth), training=True)
            generated_answer = self.discriminator(seen(grayscale, generated), training=True)

            truth = losses.true_chroma(ground_truth, prediction)
            chroma = self.loss(prediction, truth, self.rarity)
            adversarial = train.adversarial_loss(generated_answer)
            generator_total = chroma + self.adversarial_weight() * adversarial
            discriminator_total = train.discriminator_loss(
                real_answer, generated_answer, real_labels, generated_labels
            )
            generator_objective = steps.objective(generator_total, self.generator_optimizer)
            discriminator_objective = steps.objective(
                discriminator_total, self.discriminator_optimizer
            )

        weights = self.generator.trainable_variables
        gradients = generator_tape.gradient(generator_objective, weights)
        self.generator_optimizer.apply(gradients, weights)
        weights = self.discriminator.trainable_variables
        gradients = discriminator_tape.gradient(discriminator_objective, weights)
        self.discriminator_optimizer.apply(gradients, weights)
        steps.update_average(self.averaged, self.generator, self.generator_optimizer)
        return {
            "generator_loss": generator_total,
            "discriminator_loss": discriminator_total,
            "chroma_loss": chroma,
        }
