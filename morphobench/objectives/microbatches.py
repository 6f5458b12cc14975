"""Losses and gradients of a batch computed a micro-batch at a time: an optional refinement of an objective.

A micro-batch that one core carries through forward and backward stays in that core's cache. The sums have the
same bits again for the same number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from morphobench.models.microbatch import (
    MICRO_BATCH,
    add_gradients,
    added,
    concatenated,
    map_microbatches,
)
from morphobench.objectives.state import NamedNetworks

_Result = TypeVar("_Result")


class MicrobatchedNetworks(NamedNetworks):
    """Sums of losses and gradients over micro-batches; what they need of an objective stands first.

    Attributes:
        encoder: the network that embeds.
        micro_batch: images per pass; None for 16 on a CPU and the whole batch elsewhere.
        takes_whole_batch: whether a batch must pass at once, as with batch statistics.
    """

    encoder: nn.Module
    micro_batch: int | None
    takes_whole_batch: bool

    def parts(self, images: int) -> list[slice]:
        """Split a batch into micro-batches.

        Args:
            images: images in the batch.

        Returns:
            The micro-batches, in order.
        """
        size = self.micro_batch or (MICRO_BATCH if self.device.type == "cpu" else images)
        if self.takes_whole_batch:
            size = images
        return [slice(start, min(start + size, images)) for start in range(0, images, size)]

    def sum_losses(self, losses: Callable[[slice], Tensor], images: int) -> Tensor:
        """Compute the mean of a loss over a batch, and its gradients, a micro-batch at a time.

        Adds the gradients of the batch's mean to ``.grad``; without gradients enabled it only returns the
        terms.

        Args:
            losses: gives the terms (K,) of a part of the batch, each summed over the part's images; the
                loss is the sum of the terms.
            images: images in the batch.

        Returns:
            The terms (K,) as means over the batch, detached.
        """
        parameters = self.trained()

        def work(parts: Sequence[slice]) -> tuple[Tensor, list[Tensor | None]]:
            terms, gradients = [], None
            for part in parts:
                values = losses(part) / images
                if values.requires_grad:
                    found = torch.autograd.grad(values.sum(), parameters, allow_unused=True)
                    gradients = added(gradients, found)
                terms.append(values.detach())
            return torch.stack(terms).sum(0), gradients or [None] * len(parameters)

        shares = self._map(work, self.parts(images))
        add_gradients(parameters, [gradients for _, gradients in shares])
        return torch.stack([terms for terms, _ in shares]).sum(0)

    def embeddings(self, encoder: nn.Module, images: Tensor) -> Tensor:
        """Embed a batch without gradients, a micro-batch at a time.

        Args:
            encoder: maps (N, C, S, S) to (N, D).
            images: float32 (N, C, S, S).

        Returns:
            float32 (N, D).
        """
        with torch.no_grad():
            return concatenated(encoder, images, self.parts(len(images)), threads=self.device.type == "cpu")

    def loss_of_embeddings(self, images: Tensor, head: Callable[[Tensor], Tensor]) -> Tensor:
        """Compute a loss of all embeddings of a batch together, and all its gradients.

        For losses that are no sum over images, as those behind a BatchNorm: the encoder goes forward in
        micro-batches, the head sees the whole batch, and its gradient goes back through the encoder in the
        same micro-batches. Adds the gradients of the terms' sum to ``.grad``; without gradients enabled it
        only returns the terms.

        Args:
            images: float32 (N, C, S, S).
            head: gives the terms (K,) of embeddings (N, D).

        Returns:
            The terms (K,), detached.
        """
        if not torch.is_grad_enabled():
            return head(self.embeddings(self.encoder, images))
        parts, kept = self.parts(len(images)), dict[int, Tensor]()

        def forward(share: Sequence[slice]) -> None:
            for part in share:
                kept[part.start] = self.encoder(images[part])

        self._map(forward, parts)
        whole = torch.cat([kept[part.start].detach() for part in parts]).requires_grad_()
        inner = list(self.encoder.parameters())
        ids = {id(parameter) for parameter in inner}
        outer = [parameter for parameter in self.trained() if id(parameter) not in ids]
        terms = head(whole)
        gradient, *found = torch.autograd.grad(terms.sum(), [whole, *outer], allow_unused=True)
        add_gradients(outer, [found])

        def backward(share: Sequence[slice]) -> list[Tensor | None]:
            total = None
            for part in reversed(share):  # the last one is still in the cache
                out = kept.pop(part.start)
                total = added(total, torch.autograd.grad(out, inner, gradient[part], allow_unused=True))
            return total or []

        add_gradients(inner, self._map(backward, parts))
        return terms.detach()

    def _map(self, work: Callable[[Sequence[slice]], _Result], parts: Sequence[slice]) -> list[_Result]:
        return map_microbatches(work, parts) if self.device.type == "cpu" else [work(parts)]
