"""The straightforward training loop of the four paradigms, the peer that the training step is measured
against.

Written as most people would: ``nn.Sequential`` networks, contiguous tensors, the whole batch at once, ReLU
before max-pool, upsampling and then a transposed convolution, sigmoid and then the logarithm, a pass for
each of BYOL's views, PyTorch's own Adam, and ``.item()`` after each step. It is a slow twin: its losses are
those of ``corrected-1``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Step = Callable[[tuple[Tensor, ...], Tensor], float]
Weights = Sequence[NDArray[np.float32]]


def encoder(channels: int = 1) -> list[nn.Module]:
    """The study's encoder, layer by layer."""
    return [
        nn.Conv2d(channels, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 8, 3, padding=1),
    ]


def decoder(channels: int = 1) -> list[nn.Module]:
    """The study's decoder, layer by layer."""
    return [
        nn.ConvTranspose2d(8, 32, 3, padding=1),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.ConvTranspose2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.ConvTranspose2d(64, 64, 3, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(64, channels, 3, padding=1),
        nn.Sigmoid(),
    ]


def classifier() -> list[nn.Module]:
    """The study's classifier, layer by layer."""
    return [nn.Flatten(), nn.Linear(2048, 256), nn.LeakyReLU(), nn.Linear(256, 2)]


def projection(inputs: int) -> nn.Sequential:
    """BYOL's projector or predictor."""
    return nn.Sequential(nn.Linear(inputs, 2048), nn.BatchNorm1d(2048), nn.ReLU(), nn.Linear(2048, 64))


def fill(networks: Iterable[nn.Module], weights: Weights) -> None:
    """Set the networks' parameters, in their order, to the first of ``weights``."""
    parameters = [parameter for network in networks for parameter in network.parameters()]
    with torch.no_grad():
        for parameter, values in zip(parameters, weights, strict=False):
            parameter.copy_(torch.from_numpy(values))


def stepper(
    networks: Sequence[nn.Module],
    loss_of: Callable[[tuple[Tensor, ...], Tensor], Tensor],
    after: Callable[[], None] = lambda: None,
) -> Step:
    """The step of one Adam over the networks; ``after`` follows it."""
    parameters = [parameter for network in networks for parameter in network.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-4)

    def step(views: tuple[Tensor, ...], labels: Tensor) -> float:
        loss = loss_of(views, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after()
        return loss.item()

    return step


def start(networks: Sequence[nn.Module], weights: Weights, device: str) -> Sequence[nn.Module]:
    """The networks with these weights, on the device."""
    fill(networks, weights)
    return [network.to(device) for network in networks]


def weakly_supervised(weights: Weights, device: str = "cpu") -> Step:
    """One step: encoder and classifier under cross-entropy."""
    network = nn.Sequential(*encoder(), *classifier())

    def loss(views: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        return functional.cross_entropy(network(views[0]), labels)

    return stepper(start([network], weights, device), loss)


def unsupervised(weights: Weights, device: str = "cpu") -> Step:
    """One step: encoder and decoder under binary cross-entropy."""
    network = nn.Sequential(*encoder(), *decoder())

    def loss(views: tuple[Tensor, ...], _: Tensor) -> Tensor:
        return functional.binary_cross_entropy(network(views[0]), views[0])

    return stepper(start([network], weights, device), loss)


def regularized(weights: Weights, device: str = "cpu") -> Step:
    """One step: encoder, decoder and classifier under the sum of both losses."""
    coder, back, judge = (nn.Sequential(*layers) for layers in (encoder(), decoder(), classifier()))

    def loss(views: tuple[Tensor, ...], labels: Tensor) -> Tensor:
        reconstruction = functional.binary_cross_entropy(back(coder(views[0])), views[0])
        return reconstruction + functional.cross_entropy(judge(coder(views[0])), labels)

    return stepper(start([coder, back, judge], weights, device), loss)


def self_supervised(weights: Weights, device: str = "cpu") -> Step:
    """One step: BYOL, both views through online and target networks."""
    online = nn.Sequential(*encoder(), nn.Flatten(), projection(2048))
    predictor = projection(64)

    def term(view: Tensor, other: Tensor) -> Tensor:
        with torch.no_grad():
            aim = functional.normalize(target(other), dim=1)
        return 2 - 2 * (functional.normalize(predictor(online(view)), dim=1) * aim).sum(1)

    def loss(views: tuple[Tensor, ...], _: Tensor) -> Tensor:
        return (term(views[0], views[1]) + term(views[1], views[0])).mean()

    def follow() -> None:
        for ours, theirs in zip(online.parameters(), target.parameters(), strict=True):
            theirs.data = 0.99 * theirs.data + 0.01 * ours.data

    networks = start([online, predictor], weights, device)
    target = copy.deepcopy(online).requires_grad_(requires_grad=False)
    return stepper(networks, loss, follow)


STEPS: dict[str, Callable[..., Step]] = {
    "weakly_supervised": weakly_supervised,
    "self_supervised": self_supervised,
    "unsupervised": unsupervised,
    "regularized": regularized,
}
"""By paradigm: from the initial weights, in order, and the device to the function that takes one step."""


def batch(paradigm: str, images: int) -> tuple[tuple[Tensor, ...], Tensor]:
    """Smooth random images as views, one or BYOL's two, and labels."""
    generator = torch.Generator().manual_seed(0)
    count = 2 if paradigm == "self_supervised" else 1
    coarse = torch.rand(count, images, 1, 16, 16, generator=generator)
    views = tuple(functional.interpolate(view, scale_factor=4, mode="bilinear") for view in coarse)
    return views, torch.arange(images) % 2


class PlainTraining:
    """The loop as an object for a process of its own."""

    def __init__(self, *, paradigm: str, images: int, threads: int, weights: Weights) -> None:
        torch.set_num_threads(threads)
        self._step = STEPS[paradigm](weights)
        self._batch = batch(paradigm, images)

    def step(self) -> float:
        """Take one step on the one batch; its loss."""
        return self._step(*self._batch)
