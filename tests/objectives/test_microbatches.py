"""Micro-batches on several threads give the whole batch's losses and gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch

from morphobench.models.microbatch import map_microbatches
from morphobench.objectives import BaseObjective, Batch, create
from morphobench.setups import PARADIGMS


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def gradients(name: str, micro_batch: int, threads: int) -> list[torch.Tensor]:
    torch.set_num_threads(threads)
    objective = create(name, size_px=16, micro_batch=micro_batch)
    assert isinstance(objective, BaseObjective)
    for _, network in objective.networks:
        network.double()
    generator = torch.Generator().manual_seed(3)
    views = tuple(torch.rand(2, 11, 1, 16, 16, dtype=torch.float64, generator=generator))
    terms = objective.accumulate(views if objective.pair_views else views[:1], Batch(torch.arange(11) % 2))
    return [*terms.values(), *(p.grad for p in objective.trained() if p.grad is not None)]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", PARADIGMS)
def test_parts_add_up_to_the_whole(name: str) -> None:
    whole = gradients(name, 11, 1)
    for micro_batch, threads in ((1, 1), (4, 1), (4, 2), (3, 5)):
        parts = gradients(name, micro_batch, threads)
        assert len(parts) == len(whole) > 8
        for ours, theirs in zip(parts, whole, strict=True):
            assert (ours - theirs).abs().max() <= 1e-12 * max(1.0, float(theirs.abs().max()))
    again = gradients(name, 4, 2)
    assert all(torch.equal(*pair) for pair in zip(again, gradients(name, 4, 2), strict=True))


@pytest.mark.usefixtures("threads")
def test_threads_share_the_parts_and_keep_the_callers_modes() -> None:
    torch.set_num_threads(3)
    parts = [slice(index, index + 1) for index in range(7)]

    def work(share: Sequence[slice]) -> tuple[list[int], bool, int]:
        return [part.start for part in share], torch.is_grad_enabled(), torch.get_num_threads()

    with torch.no_grad():
        assert map_microbatches(work, parts) == [
            ([0, 3, 6], False, 1),
            ([1, 4], False, 1),
            ([2, 5], False, 1),
        ]
    assert torch.get_num_threads() == 3

    def fail(share: Sequence[slice]) -> None:
        if share[0].start == 1:
            raise ArithmeticError("one thread")

    with pytest.raises(ArithmeticError, match="one thread"):
        map_microbatches(fail, parts)
