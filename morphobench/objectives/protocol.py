"""The contract between objectives and all that trains, measures or watches them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

from morphobench.errors import InputError
from morphobench.types import Int64Array
from morphobench.types import Protocol as ProtocolId

GROUPS = ("compound", "plate", "well")
"""The groups of images whose integer codes a batch can carry."""

StopRule: TypeAlias = Callable[[Sequence[float]], bool]
"""From the mean training loss of each finished epoch, in order, to whether training stops now."""


@dataclass(frozen=True)
class Batch:
    """What is known about the images of a batch beside their pixels.

    Attributes:
        labels: int64 (B,), 0 for control and 1 for drug.
        groups: by name (one of ``GROUPS``) an integer code for each image, int64 (B,); -1 where an image's
            group is unknown. Holds only the groups that the data name.
    """

    labels: Tensor
    groups: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rows: slice) -> Batch:
        """Return the same for some of the images.

        Args:
            rows: positions within the batch.

        Returns:
            Labels and groups of those images.
        """
        return Batch(self.labels[rows], {name: codes[rows] for name, codes in self.groups.items()})

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Apply a function to labels and groups, for example to move them to a device.

        Args:
            function: of a tensor.

        Returns:
            The results.
        """
        return Batch(function(self.labels), {name: function(codes) for name, codes in self.groups.items()})

    def codes(self, group: str) -> Tensor:
        """Return the codes of one group.

        Args:
            group: one of ``GROUPS``.

        Returns:
            int64 (B,), -1 where unknown.

        Raises:
            InputError: where the data do not name this group.
        """
        if group not in self.groups:
            known = ", ".join(self.groups) or "none"
            raise InputError(f"groups must hold {group!r} for this objective, got {known}")
        return self.groups[group]


class Sampler(Protocol):
    """How the images of an epoch are put into batches, where shuffling does not suffice."""

    def describe(self) -> str:
        """Return the way of sampling in a few words, as records show it."""

    def batches(
        self, order: Int64Array, groups: Mapping[str, Int64Array], *, batches: int, batch_size: int, seed: int
    ) -> Int64Array:
        """Choose the images of each batch of an epoch.

        Args:
            order: the epoch's shuffled rows, int64 (N,): what all objectives without a sampler go through.
            groups: codes by name, int64 (N,) each.
            batches: batches of the epoch.
            batch_size: images in a batch.
            seed: a number of this seed and epoch, for further draws.

        Returns:
            Rows, int64 (batches, batch_size).
        """


@runtime_checkable
class Objective(Protocol):
    """A way of learning a representation: networks, their optimizers, and one training step.

    Attributes:
        name: the paradigm's name in records and tables.
        pair_views: whether a step takes two further views of each image instead of one view.
        protocol: the protocol whose rules it follows.
        encoder: the network that embeds, float32 (N, C, S, S) to (N, D).
        networks: all networks by the prefix of their parameters' names.
        optimizers: torch optimizers by name; schedules, clipping and several processes act through them.
        micro_batch: images that pass through the networks at a time; None for the default.
        ema_decay: decay of the moving average that a target or teacher is; None where there is none.
    """

    name: ClassVar[str]
    pair_views: ClassVar[bool]
    protocol: ProtocolId
    encoder: nn.Module
    networks: list[tuple[str, nn.Module]]
    optimizers: dict[str, torch.optim.Optimizer]
    micro_batch: int | None
    ema_decay: float | None

    @property
    def stop_rule(self) -> StopRule | None:
        """When the protocol ends training before the last epoch; None: never."""

    @property
    def sampler(self) -> Sampler | None:
        """How batches are sampled; None: the shuffled order that all setups share."""

    @property
    def supervised_by(self) -> str | None:
        """The group whose identity it learns from, one of ``GROUPS``; None: of no group.

        Tasks about that group must be done on groups that it was not trained on.
        """

    def describe(self) -> dict[str, Any]:
        """Return every setting that changes what is learnt, as plain JSON types, the encoder's included."""

    def train_step(self, views: Sequence[Tensor], labels: Tensor | Batch) -> dict[str, Tensor]:
        """Take one whole step (forward, backward, optimizer).

        Args:
            views: float32 (B, C, S, S) in [0, 1]; one, or two with ``pair_views``.
            labels: int64 (B,), or a batch that also holds groups.

        Returns:
            0-dim detached tensors by name, ``"loss"`` first.
        """

    def validation_loss(self, views: Sequence[Tensor], labels: Tensor | Batch) -> dict[str, Tensor]:
        """Compute the terms of ``train_step`` in evaluation mode, without changing any state.

        Args:
            views: as in ``train_step``.
            labels: as in ``train_step``.

        Returns:
            As ``train_step``.
        """

    def accumulate(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Add the gradients of a batch to ``.grad``, without a step.

        Args:
            views: as in ``train_step``.
            batch: labels and groups.

        Returns:
            As ``train_step``.
        """

    def update(self) -> None:
        """Step the optimizers with the gradients in ``.grad``, and do what follows a step."""

    def trained(self) -> list[nn.Parameter]:
        """Return the parameters that the optimizers step."""

    def parts(self, images: int) -> list[slice]:
        """Split a batch into what passes through the networks at a time.

        Args:
            images: images in the batch.

        Returns:
            The micro-batches, in order.
        """

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield every parameter with its name."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return everything that the next step depends on, as flat tensors."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what ``state_dict`` returned, exactly.

        Args:
            state: tensors by name.
        """

    def to(self, device: torch.device | str) -> Objective:
        """Move everything to a device, in place.

        Args:
            device: such as ``"cpu"`` or ``"cuda:0"``.

        Returns:
            The objective itself.
        """
