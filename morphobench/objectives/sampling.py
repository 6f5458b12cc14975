"""Ways to put the images of an epoch into batches, for objectives that need another one than shuffling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from morphobench.errors import InputError
from morphobench.types import Int64Array


@dataclass(frozen=True)
class GroupSampler:
    """Base of ways of sampling that go by one group of the images.

    Attributes:
        group: one of ``objectives.protocol.GROUPS``.
    """

    group: str

    def batches(
        self, order: Int64Array, groups: Mapping[str, Int64Array], *, batches: int, batch_size: int, seed: int
    ) -> Int64Array:
        """Choose the images of each batch of an epoch.

        Args:
            order: the epoch's shuffled rows, int64 (N,).
            groups: codes by name, int64 (N,) each.
            batches: batches of the epoch.
            batch_size: images in a batch.
            seed: of the draws.

        Returns:
            Rows, int64 (batches, batch_size).

        Raises:
            InputError: where the data do not name the group.
        """
        rows = rows_by_group(order, groups, self.group)
        return self._draw(rows, np.random.default_rng(seed), batches=batches, batch_size=batch_size)

    def _draw(
        self, rows: list[Int64Array], generator: np.random.Generator, *, batches: int, batch_size: int
    ) -> Int64Array:
        """Choose (batches, batch_size) of the rows of each group."""
        raise NotImplementedError


@dataclass(frozen=True)
class BalancedGroups(GroupSampler):
    """Each group is drawn equally often: first a group, then one of its images, in the shuffled order.

    A group's images come again once all have been drawn, so small groups repeat more often.

    Attributes:
        images_per_group: images of one group that stand together in a batch; at least 2 where a loss needs
            two images of a group.
    """

    images_per_group: int = 1

    def describe(self) -> str:
        """Return the way of sampling in a few words."""
        return f"balanced over {self.group}, {self.images_per_group} images of each at a time"

    def _draw(
        self, rows: list[Int64Array], generator: np.random.Generator, *, batches: int, batch_size: int
    ) -> Int64Array:
        drawn = -(-batches * batch_size // self.images_per_group)
        # every group once before any comes again, so that an epoch is as even as it can be
        turns = [generator.permutation(len(rows)) for _ in range(-(-drawn // len(rows)))]
        chosen = np.concatenate(turns)[:drawn]
        taken = [0] * len(rows)
        result = np.empty(drawn * self.images_per_group, dtype=np.int64)
        for place, number in enumerate(chosen):
            own, begin = rows[number], taken[number]
            taken[number] += self.images_per_group
            at = np.arange(begin, begin + self.images_per_group) % len(own)
            result[place * self.images_per_group : (place + 1) * self.images_per_group] = own[at]
        return result[: batches * batch_size].reshape(batches, batch_size)


@dataclass(frozen=True)
class OneGroupPerBatch(GroupSampler):
    """All images of a batch are of one group, such as one plate: nothing in it tells groups apart.

    A group is drawn as often as its share of the images asks for, and its images come in the shuffled order;
    they come again once all have been drawn.
    """

    def describe(self) -> str:
        """Return the way of sampling in a few words."""
        return f"each batch of one {self.group}"

    def _draw(
        self, rows: list[Int64Array], generator: np.random.Generator, *, batches: int, batch_size: int
    ) -> Int64Array:
        sizes = np.array([len(own) for own in rows])
        # whole batches by share, the rest drawn: over epochs every group has its share
        expected = batches * sizes / sizes.sum()
        counts = np.floor(expected).astype(np.int64)
        rest = batches - int(counts.sum())
        if rest:
            share = (expected - counts) / (expected - counts).sum()
            np.add.at(counts, generator.choice(len(rows), rest, replace=False, p=share), 1)
        numbers = generator.permutation(np.repeat(np.arange(len(rows)), counts))
        taken = [0] * len(rows)
        result = np.empty((batches, batch_size), dtype=np.int64)
        for batch, number in enumerate(numbers):
            own = rows[number]
            result[batch] = own[np.arange(taken[number], taken[number] + batch_size) % len(own)]
            taken[number] += batch_size
        return result


def rows_by_group(order: Int64Array, groups: Mapping[str, Int64Array], group: str) -> list[Int64Array]:
    """Sort rows into their groups.

    Args:
        order: rows, int64 (N,).
        groups: codes by name, int64 (N,) each.
        group: the name.

    Returns:
        The rows of each group in their order; images of unknown group are left out.

    Raises:
        InputError: where the data do not name the group, or know it of no image.
    """
    codes = groups.get(group)
    if codes is None or not (codes >= 0).any():
        raise InputError(
            f"images must have a known {group} for this objective (Metadata_{group.capitalize()}), got none"
        )
    ordered = codes[order]
    return [order[ordered == code] for code in np.unique(ordered[ordered >= 0])]
