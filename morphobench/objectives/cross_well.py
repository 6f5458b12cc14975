"""Cross-well contrastive: images of one well, or of one compound on different wells or plates, attract."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor

from morphobench.errors import InputError
from morphobench.objectives.losses import supervised_contrastive_loss
from morphobench.objectives.protocol import Batch, Sampler
from morphobench.objectives.registry import register
from morphobench.objectives.sampling import BalancedGroups
from morphobench.objectives.two_views import ContrastiveObjective

Positives = Literal["well", "compound_across_wells", "compound_across_plates"]


def positive_pairs(batch: Batch, positives: Positives) -> Tensor:
    """Find the pairs of a batch's images that shall attract.

    Args:
        batch: with the codes that ``positives`` speaks of.
        positives: ``"well"``: images of one well, which needs no label; ``"compound_across_wells"``: images
            of one compound from different wells; ``"compound_across_plates"``: from different plates.

    Returns:
        bool (B, B); False on the diagonal and for images of unknown group.
    """
    matching = "well" if positives == "well" else "compound"
    codes = batch.codes(matching)
    pairs = (codes[:, None] == codes[None]) & (codes >= 0)[:, None]
    if positives != "well":
        apart = batch.codes("well" if positives == "compound_across_wells" else "plate")
        pairs &= apart[:, None] != apart[None]
    return pairs.fill_diagonal_(False)


@register("cross_well")
class CrossWell(ContrastiveObjective):
    """SimCLR whose positives are, beside an image's own second view, other images of its well or compound.

    Images of one treatment from different batches as positives: Haslum et al. 2023, "Metadata-guided
    consistency learning for high content images"; the loss is Khosla et al. 2020, "Supervised contrastive
    learning", equation 2, with the pairs of :func:`positive_pairs`. With ``positives="well"`` no label is
    used; otherwise what it learns from compounds must be tested on compounds that it was not trained on.
    Takes two views. Parameters: ``encoder.*``, ``projector.*``. Terms: ``loss``.
    """

    name: ClassVar[str] = "cross_well"

    def __init__(self, *, positives: Positives = "well", temperature: float = 0.2, **options: Any) -> None:
        """Make the networks.

        Args:
            positives: what :func:`positive_pairs` takes.
            temperature: divides the cosines.
            **options: ``projection``, and those of every objective.

        Raises:
            InputError: for another kind of positives.
        """
        kinds = get_args(Positives)
        if positives not in kinds:
            raise InputError(f"positives must be one of {', '.join(kinds)}, got {positives!r}")
        self.positives = positives
        super().__init__(temperature=temperature, **options)

    @property
    def supervised_by(self) -> str | None:
        """The group whose identity it learns from."""
        return None if self.positives == "well" else "compound"

    @property
    def sampler(self) -> Sampler:
        """Two images of a well, or four of a compound, at a time."""
        if self.positives == "well":
            return BalancedGroups("well", images_per_group=2)
        return BalancedGroups("compound", images_per_group=4)

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor:
        """Compute the contrastive loss over both views of all images.

        Args:
            views: two views, float32 (B, C, S, S) each.
            batch: with the codes that ``positives`` speaks of.

        Returns:
            A 0-dim tensor.
        """
        pairs = positive_pairs(batch, self.positives)
        itself = torch.eye(len(batch), dtype=torch.bool, device=pairs.device)
        across = pairs | itself  # the other view of an image, and all views of its positives
        matches = torch.cat([torch.cat([pairs, across], 1), torch.cat([across, pairs], 1)])
        projections = self.projector(self.encoder(torch.cat(views)))
        return supervised_contrastive_loss(projections, matches=matches, temperature=self.temperature)
