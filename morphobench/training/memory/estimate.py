"""Memory that a training will need, estimated before it starts, and a refusal when there is less."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from morphobench.errors import InputError
from morphobench.measure import free_host_memory_bytes
from morphobench.models.batch_norm_cnn import has_batch_norm
from morphobench.objectives import Objective
from morphobench.training.data.loader import StepLoader
from morphobench.training.memory.activations import measure_activations, probe_batch
from morphobench.training.results import MemoryEstimate
from morphobench.training.state import TrainingState

_PROBE_IMAGES = 2

LIBRARIES_BYTES = 60_000_000
"""What a process on a CPU grows by in its first steps beside tensors: compiled kernels, thread pools."""


class MemoryEstimator:
    """Estimates for any batch size, from a few images that pass through a copy of the objective."""

    def __init__(self, objective: Objective, loader: StepLoader, *, device: torch.device) -> None:
        """Measure an objective.

        Args:
            objective: what is trained; it is left as it was.
            loader: where steps come from; only its sizes are read.
            device: where it trains.
        """
        self._loader, self._device = loader, device
        self._state = 3 * sum(
            parameter.nbytes for _, parameter in objective.named_parameters() if parameter.requires_grad
        )
        self._activations = measure_activations(objective, view_shape=loader.view_shape, device=device)
        self._evaluation = 0.0 if self._activations else self._bytes_an_image(objective)
        self._objective = objective

    def _bytes_an_image(self, objective: Objective) -> float:
        """All that an evaluation of two images makes, per image: for an objective that cannot be measured."""
        shape = (_PROBE_IMAGES, *self._loader.view_shape)
        views = tuple(torch.full(shape, 0.5, device=self._device) for _ in range(1 + objective.pair_views))
        with _CountBytes() as counted:
            objective.validation_loss(views, probe_batch(_PROBE_IMAGES, device=self._device))
        made: float = counted.bytes / _PROBE_IMAGES
        return made

    def of(self, images: int, *, accumulate: int = 1) -> MemoryEstimate:
        """Estimate the memory of a training.

        Args:
            images: of a step.
            accumulate: batches in which the step takes them.

        Returns:
            The estimate.
        """
        together = -(-images // accumulate)
        if self._activations is not None:
            activations = self._activations.bytes_of(together)
        else:
            activations = round(self._evaluation * images_together(self._objective, together))
        return MemoryEstimate(
            state_bytes=self._state,
            activations_bytes=activations,
            views_bytes=self._loader.buffer_bytes * images // self._loader.images_per_step,
            libraries_bytes=LIBRARIES_BYTES if self._device.type == "cpu" else 0,
        )


def images_together(objective: Objective, batch_size: int) -> int:
    """Count the images of a batch of which an objective holds intermediate results at a time.

    Args:
        objective: what is trained.
        batch_size: images of the batch.

    Returns:
        The whole batch where statistics are taken over it (BatchNorm); else a part for each of torch's
        threads.
    """
    if any(has_batch_norm(network) for _, network in objective.networks):
        return batch_size
    largest = max(part.stop - part.start for part in objective.parts(batch_size))
    return min(batch_size, int(largest) * torch.get_num_threads())


def available_bytes(device: torch.device) -> int:
    """Read how much memory is free.

    Args:
        device: the accelerator, or the host within its container's limit.

    Returns:
        Bytes.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_host_memory_bytes()


def require_memory(state: TrainingState, loader: StepLoader) -> None:
    """Estimate what a run needs, and note it in its state.

    Args:
        state: of the training, before its first step.
        loader: where steps come from.

    Raises:
        InputError: with advice, when it exceeds what is free and the options ask for this check.
    """
    device, options = state.device, state.options
    estimator = MemoryEstimator(state.objective, loader, device=device)
    estimate = estimator.of(loader.images_per_step, accumulate=options.accumulate)
    state.memory = estimate
    if not options.check_memory:
        return
    free = available_bytes(device)
    if estimate.total_bytes > free:
        raise InputError(
            f"memory on {device} must be about {_size(estimate.total_bytes)} for {state.setup} in batches of "
            f"{loader.batch_size // options.accumulate} (gradients, moments {_size(estimate.state_bytes)}, "
            f"intermediate results {_size(estimate.activations_bytes)}, views "
            f"{_size(estimate.views_bytes)}), got {_size(free)} free. "
            f"{_what_fits(estimator, loader.images_per_step, options.accumulate, free)}; "
            "check_memory=False tries all the same"
        )


def _what_fits(estimator: MemoryEstimator, images: int, accumulate: int, free: int) -> str:
    """Advice: the largest halving of the batch that fits, as the same step and as a smaller one."""
    halvings = [accumulate * 2**power for power in range(1, 12) if accumulate * 2**power <= images]
    for more in halvings:
        if estimator.of(images, accumulate=more).total_bytes <= free:
            return f"With accumulate={more}, batch_size={images // more} it fits"
    for less in halvings:
        smaller = images * accumulate // less
        if estimator.of(smaller, accumulate=accumulate).total_bytes <= free:
            return f"With batch_size={smaller // accumulate} it fits"
    return "No batch size fits; smaller views or another encoder need less"


def _size(count: int) -> str:
    return f"{count / 1e9:.2g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"


class _CountBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of all tensors that operations return, views of others and in-place results apart."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {arg.untyped_storage().data_ptr() for arg in args if isinstance(arg, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in given:
                self.bytes += tensor.nbytes
        return result
