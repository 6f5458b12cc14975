"""Self-supervised: BYOL, two networks that predict one another's projection of two views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from morphobench.errors import InputError
from morphobench.models import Classifier, Projection
from morphobench.objectives.losses import byol_loss
from morphobench.objectives.protocol import StopRule
from morphobench.objectives.registry import register
from morphobench.objectives.two_views import TwoViewObjective


def study_stop_rule(losses: Sequence[float]) -> bool:
    """Apply the published program's rule, from the third epoch on (protocol reference-1, point 4).

    Args:
        losses: mean training loss of each finished epoch, in order.

    Returns:
        Whether to stop: the last loss has grown twice in a row, exceeds the first epoch's, or equals the
        previous one's to 4 decimals.
    """
    if len(losses) < 3:
        return False
    before, previous, last = losses[-3:]
    return before < previous < last or last > losses[0] or round(last, 4) == round(previous, 4)


@register("self_supervised")
class SelfSupervised(TwoViewObjective):
    """BYOL: encoder, projector and predictor online; encoder and projector as a target that follows them.

    ``loss``: the mean over the batch of the sum of the two symmetric terms (each view predicts the other).
    After the optimizer's step the target moves to ``ema_decay`` x itself + the rest x online, parameters
    only; its BatchNorm uses the batch's statistics, as the online one does, each view its own. ``ema_decay``:
    default 0.99, under ``reference-1`` 0.8. Takes two views.

    Parameters: ``net.model.*``, ``online_encoder.projector.net.*``, ``online_predictor.net.*``, and the
    target's, without gradient, under ``target_encoder.``. ``reference-1`` keeps the study's unused classifier
    ``net.model.10`` and ``net.model.12``. The target becomes a copy of the online network when the first step
    begins, unless it was written to before.
    """

    name: ClassVar[str] = "self_supervised"

    def __init__(self, *, ema_decay: float | None = None, **options: Any) -> None:
        """Make the networks.

        Args:
            ema_decay: the share of itself that the target keeps in a step; default 0.99, under
                ``reference-1`` 0.8.
            **options: those of every objective.

        Raises:
            InputError: for a decay out of range.
        """
        if ema_decay is None:
            ema_decay = 0.8 if options.get("protocol") == "reference-1" else 0.99
        self.ema_decay = self._settings["ema_decay"] = ema_decay
        if not 0 <= ema_decay <= 1:
            raise InputError(f"ema_decay must be 0 to 1, got {ema_decay}")
        super().__init__(**options)

    def build(self) -> None:
        """Add online and target networks, and one optimizer over the online ones."""
        self.networks.append(("net.model", self.encoder))
        unused: list[nn.Module] = []
        if self.protocol == "reference-1":
            unused.append(self._add_unused("net.model"))
        self.projector = self._add_projector("online_encoder.projector.net")
        self.predictor = self.add("online_predictor.net", "predictor", lambda: Projection(64))
        self.target_encoder = self.add("target_encoder.net.model", "encoder", self.make_encoder)
        if unused:
            unused.append(self._add_unused("target_encoder.net.model"))
        self.target_projector = self._add_projector("target_encoder.projector.net")
        online = [self.encoder, *unused[:1], self.projector]
        target = [self.target_encoder, *unused[1:], self.target_projector]
        self._pairs = [
            (ours, theirs)
            for network, other in zip(online, target, strict=True)
            for ours, theirs in zip(network.parameters(), other.parameters(), strict=True)
        ]
        for _, theirs in self._pairs:
            theirs.requires_grad_(False)
        # without the unused classifier: no gradient reaches it
        self.optimize("adam", self.encoder, self.projector, self.predictor)
        self._copy_to_target()

    @property
    def stop_rule(self) -> StopRule | None:
        """The study's rule under ``reference-1``."""
        return study_stop_rule if self.protocol == "reference-1" else None

    def _add_projector(self, prefix: str) -> Projection:
        return self.add(prefix, "projector", lambda: Projection(self.embedding_size))

    def _add_unused(self, prefix: str) -> Classifier:
        return self.add(
            prefix, "classifier", lambda: Classifier(self.embedding_size, slope=1.0, names=("10", "12"))
        )

    def _copy_to_target(self) -> None:
        with torch.no_grad():
            for ours, theirs in self._pairs:
                theirs.copy_(ours)
        self._written = [theirs._version for _, theirs in self._pairs]

    def _start_target(self) -> None:
        """Before the first step: weights set online since construction reach a target not written to."""
        if self.steps == 0 and self._written == [theirs._version for _, theirs in self._pairs]:
            self._copy_to_target()

    def _accumulate(self, images: Tensor) -> dict[str, Tensor]:
        # both views in one pass, except through the BatchNorms, whose statistics are each view's own
        views = len(images) // 2
        if torch.is_grad_enabled():  # validation takes BatchNorm's running statistics
            if views < 2:
                raise InputError("views must hold at least 2 images for BatchNorm, got 1")
            self._start_target()
        with torch.no_grad():
            targets = self.target_projector(self.embeddings(self.target_encoder, images), groups=2)

        def head(embeddings: Tensor) -> Tensor:
            predictions = self.predictor(self.projector(embeddings, groups=2), groups=2)
            # each view predicts the other view's projection
            terms = byol_loss(predictions, targets.roll(views, 0))
            return (terms.sum() / views).view(1)

        return {"loss": self.loss_of_embeddings(images, head)[0]}

    def after_update(self) -> None:
        """Move the target towards the online networks."""
        with torch.no_grad():
            torch._foreach_lerp_(
                [theirs for _, theirs in self._pairs],
                [ours for ours, _ in self._pairs],
                1 - cast(float, self.ema_decay),
            )

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what ``state_dict`` returned; the loaded target counts as written to.

        Args:
            state: tensors by name.
        """
        super().load_state_dict(state)
        self._written = []
