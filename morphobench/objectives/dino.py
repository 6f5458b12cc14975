"""DINO-style self-distillation: a student predicts a slower teacher's soft assignment of the other view."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from morphobench.errors import InputError
from morphobench.objectives.losses import dino_loss
from morphobench.objectives.registry import register
from morphobench.objectives.two_views import TwoViewObjective


class DinoHead(nn.Module):
    """Linear, GELU, Linear to a unit vector, then its cosines with K prototypes: (N, D) to (N, K).

    The paper's head (appendix C) with one hidden layer less.

    Attributes:
        center: the running mean of a teacher's outputs, (K,).
    """

    center: Tensor

    def __init__(self, inputs: int, *, prototypes: int, hidden: int = 512, bottleneck: int = 64) -> None:
        """Make the layers.

        Args:
            inputs: D.
            prototypes: K.
            hidden: features of the hidden layer.
            bottleneck: length of the unit vector.
        """
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, bottleneck))
        self.prototypes = nn.Linear(bottleneck, prototypes, bias=False)
        self.register_buffer("center", torch.zeros(prototypes))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Score embeddings.

        Args:
            embeddings: (N, D).

        Returns:
            Cosines with the prototypes, (N, K).
        """
        unit = functional.normalize(self.layers(embeddings), dim=1)
        return functional.linear(unit, functional.normalize(self.prototypes.weight, dim=1))


@register("dino")
class Dino(TwoViewObjective):
    """Student and teacher of one shape; no negatives, no predictor; both protocols alike. Takes two views.

    Caron et al. 2021, "Emerging properties in self-supervised vision transformers", without the paper's small
    crops: every paradigm here gets the same views. ``loss``: the mean over images of the two symmetric terms,
    halved. After the optimizer's step the teacher moves towards the student, and the centre of the teacher's
    outputs towards the batch's mean.

    Parameters: ``encoder.*``, ``head.*``, and the teacher's, without gradient, under ``teacher_encoder.`` and
    ``teacher_head.``.
    """

    name: ClassVar[str] = "dino"

    def __init__(
        self,
        *,
        ema_decay: float = 0.996,
        center_momentum: float = 0.9,
        temperatures: tuple[float, float] = (0.1, 0.04),
        prototypes: int = 1024,
        **options: Any,
    ) -> None:
        """Make the networks.

        Args:
            ema_decay: the share of itself that the teacher keeps in a step.
            center_momentum: the share of itself that the centre keeps in a step.
            temperatures: the student's and the teacher's.
            prototypes: K; the paper has 65,536 for ImageNet.
            **options: those of every objective.

        Raises:
            InputError: for a number out of range.
        """
        if not (0 <= ema_decay <= 1 and 0 <= center_momentum <= 1):
            raise InputError(
                f"ema_decay and center_momentum must be 0 to 1, got {ema_decay} and {center_momentum}"
            )
        if len(temperatures) != 2 or min(temperatures) <= 0 or prototypes < 2:
            raise InputError(
                "temperatures must be two numbers above 0 and prototypes at least 2, "
                f"got {temperatures} and {prototypes}"
            )
        self.ema_decay, self.center_momentum = ema_decay, center_momentum
        self.temperatures, self.prototypes = temperatures, prototypes
        self._means: list[Tensor] = []
        super().__init__(**options)

    def build(self) -> None:
        """Add student and teacher, equal at the start, and one optimizer over the student."""
        self.networks.append(("encoder", self.encoder))
        self.head = self.add("head", "head", self._make_head)
        self.teacher_encoder = self.add("teacher_encoder", "encoder", self.make_encoder)
        self.teacher_head = self.add("teacher_head", "head", self._make_head)
        student = [*self.encoder.parameters(), *self.head.parameters()]
        teacher = [*self.teacher_encoder.parameters(), *self.teacher_head.parameters()]
        self._pairs = list(zip(student, teacher, strict=True))
        for _, theirs in self._pairs:
            theirs.requires_grad_(False)
        self.optimize("adam", self.encoder, self.head)

    def _make_head(self) -> DinoHead:
        return DinoHead(self.embedding_size, prototypes=self.prototypes)

    def _accumulate(self, images: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            teacher = self.teacher_head(self.embeddings(self.teacher_encoder, images))
        if torch.is_grad_enabled():
            self._means.append(teacher.mean(0))
        hot, cold = self.temperatures

        def head(embeddings: Tensor) -> Tensor:
            # each view's student predicts the other view's teacher
            targets = teacher.roll(len(images) // 2, 0)
            losses = dino_loss(
                self.head(embeddings),
                targets,
                self.teacher_head.center,
                student_temperature=hot,
                teacher_temperature=cold,
            )
            return losses.mean().view(1)

        return {"loss": self.loss_of_embeddings(images, head)[0]}

    def after_update(self) -> None:
        """Move the teacher and its centre."""
        with torch.no_grad():
            ours, theirs = zip(*self._pairs, strict=True)
            torch._foreach_lerp_(list(theirs), list(ours), 1 - cast(float, self.ema_decay))
            mean = torch.stack(self._means).mean(0)
            self.teacher_head.center.lerp_(mean.to(self.teacher_head.center.dtype), 1 - self.center_momentum)
        self._means.clear()
