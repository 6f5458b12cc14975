"""Training of the small classifiers of a hyper-parameter grid all at once; arrays only.

Every classifier of the grid sees the same batches, so their first layers share one matrix product: with G
networks of H hidden units, the (G*H, D) stacked weights times the (D, B) batch. The gradient is written out
by hand, because the input needs none. Beside the two products a step is bound by memory traffic: the
optimizer reads and writes each weight and velocity once a step, and activations reuse their memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from morphobench.evaluation.classifier.grid import GridPoint
from morphobench.types import BoolArray, Float32Array, Float64Array, Int64Array

HIDDEN = 256
SLOPE = 0.01
_SLOWNESS_OF_QR = 4


@dataclass(frozen=True)
class Scaling:
    """Affine scaling of features: (x - shift) * factor.

    Attributes:
        shift: float32 (D,).
        factor: float32 (D,).
    """

    shift: Float32Array
    factor: Float32Array

    @classmethod
    def none(cls, features: int) -> Scaling:
        """Make the identity.

        Args:
            features: Number of features D.

        Returns:
            The scaling.
        """
        return cls(np.zeros(features, dtype=np.float32), np.ones(features, dtype=np.float32))

    @classmethod
    def standard(cls, embeddings: Float32Array, rows: BoolArray) -> Scaling:
        """Fit the scaling to mean 0 and standard deviation 1.

        Args:
            embeddings: (N, D).
            rows: bool (N,) rows to fit on; features that are constant there become 0.

        Returns:
            The scaling.
        """
        chosen = np.flatnonzero(rows)
        total = np.zeros(embeddings.shape[1])
        for start in range(0, len(chosen), 4096):  # float64 sums without a float64 copy of the embeddings
            total += embeddings[chosen[start : start + 4096]].sum(axis=0, dtype=np.float64)
        mean = total / len(chosen)
        squares = np.zeros(embeddings.shape[1])
        for start in range(0, len(chosen), 4096):
            squares += ((embeddings[chosen[start : start + 4096]] - mean) ** 2).sum(axis=0)
        deviation = np.sqrt(squares / len(chosen))
        # Below float32 resolution of the mean a deviation is rounding noise, which must not be blown up;
        # below float32's smallest normal number its inverse would be infinite.
        varies = deviation > np.maximum(1e-6 * np.abs(mean), np.finfo(np.float32).tiny)
        factor = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
        return cls(mean.astype(np.float32), factor.astype(np.float32))


@dataclass(frozen=True)
class _Settings:
    """Optimizer settings of each network. Velocities are kept as ``scale`` times torch's.

    Scaled by (1 - momentum) / weight decay, the update v <- momentum v + decay w is a linear interpolation
    of v and w: one pass over memory instead of two.
    """

    points: tuple[GridPoint, ...]

    @property
    def scales(self) -> list[float]:
        return [
            (1 - point.momentum) / point.weight_decay
            if point.weight_decay > 0 and point.momentum < 1
            else 1.0
            for point in self.points
        ]

    def decay(self, velocity: Tensor, weight: Tensor, network: int) -> None:
        """Apply momentum and weight decay to one network's velocity, ready for the next gradient."""
        point = self.points[network]
        if point.weight_decay > 0 and point.momentum < 1:
            velocity.lerp_(weight, 1 - point.momentum)
        else:
            velocity.mul_(point.momentum).add_(weight, alpha=point.weight_decay)

    def move(self, weight: Tensor, velocity: Tensor, network: int) -> None:
        """Move one network's weight along its velocity."""
        weight.add_(velocity, alpha=-self.points[network].learning_rate / self.scales[network])


class ClassifierGrid:
    """G networks D -> 256 -> LeakyReLU(0.01) -> 2, which all start from the same weights.

    Args:
        features: Number of features D.
        size: Number of networks G.
        seed: Seed of the initial weights, PyTorch's default initialization.
        softmax_first: Compute cross-entropy on the softmax of the logits (fact 1 of reference-1).
        device: Torch device.
    """

    def __init__(
        self,
        features: int,
        *,
        size: int = 1,
        seed: int = 0,
        softmax_first: bool = False,
        device: str = "cpu",
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            first, second = nn.Linear(features, HIDDEN), nn.Linear(HIDDEN, 2)
        self.size = size
        self.softmax_first = softmax_first
        self.device = torch.device(device)
        self._identical_start = True
        with torch.no_grad():
            self.weights = [
                first.weight.repeat(size, 1).to(self.device),
                first.bias.repeat(size)[:, None].to(self.device),
                second.weight.repeat(size, 1, 1).to(self.device),
                second.bias.repeat(size, 1)[:, :, None].to(self.device),
            ]
        self._velocity = [torch.zeros_like(weight) for weight in self.weights]
        self._spaces: dict[tuple[str, int], Tensor] = {}

    @torch.no_grad()
    def logits(self, batch: Tensor) -> Tensor:
        """Compute the logits of a batch.

        Args:
            batch: (B, D), scaled.

        Returns:
            (G, 2, B).
        """
        return self._forward(batch)[1]

    def _forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden activations (G, 256, B) and logits (G, 2, B) of a batch (B, D)."""
        W1, b1, W2, b2 = self.weights
        hidden = torch.addmm(b1, W1, batch.T, out=self._space("hidden", len(batch)))
        hidden = functional.leaky_relu_(hidden, SLOPE).view(self.size, HIDDEN, -1)
        return hidden, torch.baddbmm(b2, W2, hidden)

    def _space(self, name: str, columns: int) -> Tensor:
        """Buffer (G*256, columns) that every step reuses: fresh pages cost more than the arithmetic."""
        if (name, columns) not in self._spaces:
            self._spaces[name, columns] = torch.empty(self.size * HIDDEN, columns, device=self.device)
        return self._spaces[name, columns]

    @torch.no_grad()
    def _start(self, settings: _Settings) -> None:
        self._velocity = [torch.zeros_like(weight) for weight in self.weights]
        for network in range(self.size):
            for weight, velocity in zip(
                self._of(self.weights, network), self._of(self._velocity, network), strict=True
            ):
                settings.decay(velocity, weight, network)

    @torch.no_grad()
    def _step(self, batch: Tensor, labels: Tensor, settings: _Settings, weights: Tensor) -> None:
        """Step every network on the same ``batch`` (B, D) and ``labels`` int64 (B,), by its own settings.

        ``weights`` (B,): each sample's share of the loss; 1/B for the plain mean. Momentum and weight decay
        are applied to velocities before and after this step.
        """
        W2, velocity = self.weights[2], self._velocity
        hidden, logits = self._forward(batch)
        wanted = functional.one_hot(labels, 2).T.to(logits.dtype)
        outer = torch.softmax(logits, dim=1)
        if self.softmax_first:
            loss_gradient = (torch.softmax(outer, dim=1) - wanted) * weights
            loss_gradient = outer * (loss_gradient - (loss_gradient * outer).sum(dim=1, keepdim=True))
        else:
            loss_gradient = (outer - wanted) * weights
        loss_gradient *= torch.tensor(settings.scales, device=self.device)[:, None, None]
        into = self._space("gradient", len(batch)).view(hidden.shape)
        torch.bmm(W2.transpose(1, 2), loss_gradient, out=into)
        # The activation has the sign of its input, so the derivative can be read from it.
        torch.ops.aten.leaky_relu_backward.grad_input(into, hidden, SLOPE, True, grad_input=into)
        gradient = into.view(len(self.weights[0]), -1)
        velocity[0].addmm_(gradient, batch)
        velocity[1].add_(gradient.sum(dim=1, keepdim=True))
        velocity[2].baddbmm_(loss_gradient, hidden.transpose(1, 2))
        velocity[3].add_(loss_gradient.sum(dim=2, keepdim=True))
        # Network by network, so that weights and velocities are fetched from memory once for both.
        for network in range(self.size):
            for weight, own in zip(self._of(self.weights, network), self._of(velocity, network), strict=True):
                settings.move(weight, own, network)
                settings.decay(own, weight, network)

    @staticmethod
    def _of(tensors: Sequence[Tensor], network: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One network's four parameters, as views."""
        rows = slice(network * HIDDEN, (network + 1) * HIDDEN)
        return tensors[0][rows], tensors[1][rows], tensors[2][network], tensors[3][network]

    @torch.no_grad()
    def probabilities(
        self, embeddings: Float32Array, rows: Int64Array, *, scaling: Scaling, batch_size: int = 1024
    ) -> Float64Array:
        """Compute each network's probability of class 1.

        Args:
            embeddings: (N, D).
            rows: (M,) rows to classify.
            scaling: Scaling of the features.
            batch_size: Rows at a time.

        Returns:
            (G, M).
        """
        parts = [
            torch.softmax(self.logits(batch).double(), dim=1)[:, 1].cpu().numpy()
            for batch in (
                self._scaled(embeddings, rows[start : start + batch_size], scaling)
                for start in range(0, len(rows), batch_size)
            )
        ]
        return np.concatenate(parts, axis=1) if parts else np.empty((self.size, 0))

    def fit(
        self,
        embeddings: Float32Array,
        labels: Int64Array,
        rows: Int64Array,
        points: Sequence[GridPoint],
        *,
        scaling: Scaling,
        epochs: int,
        batch_size: int,
        seed: int,
        class_weights: Float64Array | None = None,
    ) -> None:
        """Train every network on the same batches, each with a fresh optimizer.

        With fewer rows than features, and enough epochs, training runs within the space that the rows span:
        the same result at a fraction of the cost.

        Args:
            embeddings: (N, D).
            labels: int64 (N,) of 0 and 1.
            rows: (M,) rows to train on.
            points: Optimizer settings of each of the G networks.
            scaling: Scaling of the features.
            epochs: Passes over the rows.
            batch_size: Rows per step.
            seed: Seed of the order of rows, drawn anew each epoch.
            class_weights: (2,) weights of the classes in the mean loss, as in torch's cross_entropy.
        """
        order = torch.Generator().manual_seed(seed)
        by_class = torch.ones(2) if class_weights is None else torch.as_tensor(class_weights).float()
        span = None
        if _RowSpace.is_cheaper(len(rows), *self.weights[0].shape, epochs=epochs):
            repeat = HIDDEN if self._identical_start else None
            span = _RowSpace(self._scaled(embeddings, rows, scaling), self.weights[0], repeat=repeat)
            self.weights[0] = span.weights
        self._identical_start = False
        settings = _Settings(tuple(points))
        self._start(settings)
        for _ in range(epochs):
            shuffled = torch.randperm(len(rows), generator=order)
            for start in range(0, len(rows), batch_size):
                chosen = shuffled[start : start + batch_size]
                originals = rows[chosen.numpy()]
                wanted = torch.from_numpy(labels[originals])
                weights = by_class[wanted]
                weights = (weights / weights.sum()).to(self.device)
                if span is None:
                    batch = self._scaled(embeddings, originals, scaling)
                else:
                    batch = span.images[chosen.to(self.device)]
                self._step(batch, wanted.to(self.device), settings, weights)
        if span is not None:
            self.weights[0] = span.leave(self.weights[0])
        self._spaces.clear()

    def _scaled(self, embeddings: Float32Array, rows: Int64Array, scaling: Scaling) -> Tensor:
        # Scaled as it is needed: a scaled copy of all embeddings would double the memory.
        shift = torch.from_numpy(scaling.shift).to(self.device)
        factor = torch.from_numpy(scaling.factor).to(self.device)
        return torch.from_numpy(embeddings[rows]).to(self.device).sub_(shift).mul_(factor)


class _RowSpace:
    """Space spanned by fewer images than features, in which classifiers train with less arithmetic.

    Gradients of the first layer's weights are sums of images, so they never leave this space. The component
    of a weight orthogonal to it only shrinks by weight decay, by one factor for all. One more coordinate, 0
    in every image and 1 in every weight at the start, goes through the same steps and ends as that factor.
    """

    def __init__(self, images: Tensor, weights: Tensor, *, repeat: int | None = None) -> None:
        """Span ``images`` (M, D) and express the initial ``weights`` (G*H, D) in it.

        ``repeat``: number of rows after which the weights repeat.
        """
        self._basis = torch.linalg.qr(images.T)[0]
        first = weights[:repeat]
        inside = first @ self._basis
        self._beside = first - inside @ self._basis.T
        self.images = functional.pad(images @ self._basis, (0, 1))
        times = len(weights) // len(first)
        self.weights = functional.pad(inside, (0, 1), value=1.0).repeat(times, 1)

    @staticmethod
    def is_cheaper(images: int, weights: int, features: int, *, epochs: int) -> bool:
        """Estimate whether training within the space is less work, change of basis included.

        In multiply-adds: each epoch costs 2 MGD outside and 2 MGM inside. Entering costs a QR decomposition
        of (D, M), at a fraction of a matrix product's speed, and the coordinates; leaving costs one product.
        """
        saved = 2 * epochs * images * weights * (features - images)
        there = (_SLOWNESS_OF_QR * 2 + 1) * features * images**2
        return saved > 1.25 * (there + weights * features * images)

    def leave(self, weights: Tensor) -> Tensor:
        """Express trained ``weights`` (G*H, M + 1) of the space as weights (G*H, D) of the features."""
        beside = self._beside.repeat(len(weights) // len(self._beside), 1)
        return torch.addcmul(weights[:, :-1] @ self._basis.T, weights[:, -1:], beside)
