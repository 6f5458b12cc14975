"""Compound classification: tell which compound an image was treated with, every compound equally often."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional

from morphobench.errors import InputError
from morphobench.objectives.base import BaseObjective
from morphobench.objectives.protocol import Batch, Sampler
from morphobench.objectives.registry import register
from morphobench.objectives.sampling import BalancedGroups


@register("compound_classification")
class CompoundClassification(BaseObjective):
    """Encoder and linear classifier under cross-entropy over compounds, balanced batches. Takes one view.

    Weak supervision by treatment: Caicedo et al. 2018, "Weakly supervised learning of single-cell feature
    embeddings". What it learns from compounds must be tested on compounds that it was not trained on, or on
    a task that is not about compounds. Parameters: ``encoder.*``, ``classifier.*``. Terms: ``loss``.
    """

    name: ClassVar[str] = "compound_classification"
    needs_labels: ClassVar[bool] = False

    def __init__(self, *, classes: int = 256, label_smoothing: float = 0.1, **options: Any) -> None:
        """Make the networks.

        Args:
            classes: outputs of the classifier, at least as many as there are compounds; outputs without a
                compound are never right and fall silent in the first steps.
            label_smoothing: share of each target that is spread over all classes (Szegedy et al. 2016).
            **options: those of every objective.

        Raises:
            InputError: for fewer than two classes or a share outside 0 to 1.
        """
        if classes < 2 or not 0 <= label_smoothing < 1:
            raise InputError(
                "classes must be at least 2 and label_smoothing at least 0 and below 1, "
                f"got {classes} and {label_smoothing}"
            )
        self.classes, self.label_smoothing = classes, label_smoothing
        super().__init__(**options)

    def build(self) -> None:
        """Add the classifier."""
        self.classifier = self.add(
            "classifier", "classifier", lambda: nn.Linear(self.embedding_size, self.classes)
        )

    @property
    def supervised_by(self) -> str:
        """The group whose identity it learns from."""
        return "compound"

    @property
    def sampler(self) -> Sampler:
        """Each compound equally often."""
        return BalancedGroups("compound")

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor:
        """Compute the mean cross-entropy over the images of known compound.

        Args:
            views: the one view, float32 (B, C, S, S).
            batch: with codes of ``compound``.

        Returns:
            A 0-dim tensor; 0 where no compound is known.

        Raises:
            InputError: for more compounds than classes.
        """
        codes = batch.codes("compound")
        if codes.device.type == "cpu" and int(codes.max()) >= self.classes:
            raise InputError(
                f"classes must be above {int(codes.max())}, the largest code, got {self.classes}"
            )
        logits = self.classifier(self.encoder(views[0]))
        summed = functional.cross_entropy(
            logits, codes, ignore_index=-1, reduction="sum", label_smoothing=self.label_smoothing
        )
        return summed / (codes >= 0).sum().clamp(min=1)
