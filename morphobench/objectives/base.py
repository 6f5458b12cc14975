"""What the objectives share: networks by name, optimizers, argument checks, state, and sums over parts."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from morphobench.errors import InputError
from morphobench.models import Decoder, seeded
from morphobench.models.backbones import EncoderFactory, make_encoder, needs_whole_batch
from morphobench.models.microbatch import add_gradients, added, deal, in_layout_of
from morphobench.objectives.protocol import Objective as Objective
from morphobench.types import PROTOCOLS
from morphobench.types import Protocol as ProtocolId

MICRO_BATCH = 16
"""Images that pass through the network at a time on a CPU, so that what they need stays in the cache."""

_Module = TypeVar("_Module", bound=nn.Module)
_Result = TypeVar("_Result")


class BaseObjective(ABC):
    """Networks by published name, Adam, argument checks and state; a paradigm adds its networks and its
    loss.

    Construction (all by keyword): ``protocol``; ``channels`` of the images; ``seed`` of the initial
    weights (the encoder's depend on it alone, whatever the paradigm); ``device``; ``learning_rate``
    (default 1e-4, the study's); ``size_px`` (default 64); ``micro_batch``, images per pass (default 16
    on a CPU, the whole batch elsewhere; changes results by rounding only); ``encoder``, the name of
    another encoder than the study's or its factory (`morphobench.models.make_encoder`); one with batch
    statistics takes each batch whole.

    A step is ``accumulate`` (adds to the gradients), then ``update`` (optimizers, and whatever follows
    them); a trainer that clips or sums gradients calls the two itself.
    """

    name: ClassVar[str]
    pair_views: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = True

    def __init__(
        self,
        *,
        protocol: ProtocolId = "corrected-1",
        channels: int = 1,
        seed: int = 0,
        device: torch.device | str = "cpu",
        learning_rate: float = 1e-4,
        size_px: int = 64,
        micro_batch: int | None = None,
        encoder: str | EncoderFactory = "study",
    ) -> None:
        if protocol not in PROTOCOLS:
            raise InputError(f"protocol: one of {', '.join(PROTOCOLS)} wanted, got {protocol!r}")
        if seed < 0:
            raise InputError(f"seed: a non-negative integer wanted, got {seed}")
        if micro_batch is not None and micro_batch < 1:
            raise InputError(f"micro_batch: at least 1 wanted, got {micro_batch}")
        self.protocol = protocol
        self.channels = channels
        self.size_px = size_px
        self.seed = seed
        self.learning_rate = learning_rate
        self.device = torch.device(device)
        self.micro_batch = micro_batch
        self.steps = 0
        self.networks: list[tuple[str, nn.Module]] = []
        self.optimizers: dict[str, torch.optim.Adam] = {}
        self._encoder_name = encoder
        self.encoder = self.make_encoder()
        self._whole = needs_whole_batch(self.encoder)
        self.embedding_size = int(cast(int, self.encoder.embedding_size))
        self.build()
        self.to(self.device)

    # what a paradigm says

    @abstractmethod
    def build(self) -> None:
        """Add the networks and the optimizers; ``self.encoder`` is there already."""

    @abstractmethod
    def accumulate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:
        """Add the gradients of a batch to ``.grad`` and return its terms; arguments are checked already."""

    @abstractmethod
    def evaluate(self, views: tuple[Tensor, ...], labels: Tensor) -> dict[str, Tensor]:
        """The terms of a batch, without gradients."""

    def after_update(self) -> None:  # noqa: B027  (a hook)
        """What follows the optimizers' step; nothing by default."""

    # building blocks

    def make_encoder(self) -> nn.Module:
        """An encoder with the seed's initial weights, the same ones each time."""
        with seeded(self.seed, "encoder"):
            return make_encoder(self._encoder_name, self.channels, self.size_px)

    def add(self, prefix: str, part: str, make: Callable[[], _Module]) -> _Module:
        """Make a network from its own seed and register it under the names ``prefix.*``."""
        with seeded(self.seed, part):
            network = make()
        self.networks.append((prefix, network))
        return network

    def add_decoder(self) -> nn.Module:
        """The study's decoder under ``decoder.*``, behind a linear layer where another encoder needs one."""
        decoder = self.add("decoder", "decoder", lambda: Decoder(self.channels, size_px=self.size_px))
        wanted = math.prod(decoder.feature_shape)
        if wanted == self.embedding_size:
            return decoder
        return nn.Sequential(
            self.add("bridge", "bridge", lambda: nn.Linear(self.embedding_size, wanted)), decoder
        )

    def optimize(self, name: str, *networks: nn.Module) -> None:
        """One Adam over the parameters of ``networks``."""
        parameters = [parameter for network in networks for parameter in network.parameters()]
        self.optimizers[name] = torch.optim.Adam(parameters, lr=self.learning_rate, fused=True)

    def parts(self, images: int) -> list[slice]:
        """The micro-batches of a batch."""
        size = self.micro_batch or (MICRO_BATCH if self.device.type == "cpu" else images)
        if self._whole:
            size = images
        return [slice(start, min(start + size, images)) for start in range(0, images, size)]

    def trained(self) -> list[nn.Parameter]:
        """The parameters that the optimizers step, in their order."""
        groups = [group for optimizer in self.optimizers.values() for group in optimizer.param_groups]
        return [parameter for group in groups for parameter in group["params"]]

    def sum_losses(self, losses: Callable[[slice], Tensor], images: int) -> Tensor:
        """The mean of ``losses`` over a batch, and its gradients, a micro-batch at a time.

        ``losses`` gives the terms (K,) of a part, each summed over the part's images; the loss is the sum
        of the terms. Adds the gradients of the batch's mean to ``.grad`` and returns its terms (K,),
        detached. Without gradients enabled it only returns the terms.
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

        shares = self._deal(self.parts(images), work)
        add_gradients(parameters, [gradients for _, gradients in shares])
        return torch.stack([terms for terms, _ in shares]).sum(0)

    def embeddings(self, encoder: nn.Module, images: Tensor) -> Tensor:
        """Embeddings (N, D) of a batch without gradients, a micro-batch at a time."""
        parts, kept = self.parts(len(images)), dict[int, Tensor]()

        def work(share: Sequence[slice]) -> None:
            for part in share:
                kept[part.start] = encoder(images[part])

        with torch.no_grad():
            self._deal(parts, work)
        return torch.cat([kept[part.start] for part in parts])

    def loss_of_embeddings(self, images: Tensor, head: Callable[[Tensor], Tensor]) -> Tensor:
        """The terms (K,) that ``head`` makes of a batch's embeddings (N, D), and all their gradients.

        For losses that are no sum over images, as those behind a BatchNorm: the encoder goes forward in
        micro-batches, the head sees the whole batch, and its gradient goes back through the encoder in
        the same micro-batches. Adds the gradients of the terms' sum to ``.grad``; returns the terms,
        detached. Without gradients enabled it only returns the terms.
        """
        if not torch.is_grad_enabled():
            return head(self.embeddings(self.encoder, images))
        parts, kept = self.parts(len(images)), dict[int, Tensor]()

        def forward(share: Sequence[slice]) -> None:
            for part in share:
                kept[part.start] = self.encoder(images[part])

        self._deal(parts, forward)
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

        add_gradients(inner, self._deal(parts, backward))
        return terms.detach()

    def _deal(self, parts: Sequence[slice], work: Callable[[Sequence[slice]], _Result]) -> list[_Result]:
        return deal(parts, work) if self.device.type == "cpu" else [work(parts)]

    # the interface of Objective

    def train_step(self, views: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        """One whole step: forward, backward, optimizers, and what follows.

        ``views``: float32 (B, C, S, S) in [0, 1], one, or two for an objective with ``pair_views``;
        ``labels``: int64 (B,), 0 control and 1 drug. Returns 0-dim detached tensors by name, ``"loss"``
        first, without waiting for the device. TypeError for another dtype, InputError for another shape,
        number of views or label.
        """
        terms = self.accumulate(self._checked(views, labels), labels)
        self.update()
        return terms

    def validation_loss(self, views: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The terms of ``train_step`` in evaluation mode; changes no state."""
        checked = self._checked(views, labels)
        networks = [network for _, network in self.networks]
        training = [network.training for network in networks]
        try:
            for network in networks:
                network.eval()
            with torch.no_grad():
                return self.evaluate(checked, labels)
        finally:
            for network, mode in zip(networks, training, strict=True):
                network.train(mode)

    def update(self) -> None:
        """Step every optimizer, forget the gradients, then do what follows the step."""
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        self.after_update()

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter under its published name, e.g. ``model.0.weight`` or ``encoder.0.weight``."""
        for prefix, network in self.networks:
            yield from network.named_parameters(prefix)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as flat tensors on the CPU, ready for safetensors.

        ``network.NAME`` (parameters, buffers, BYOL's target), ``optimizer.WHICH.NAME.KEY`` (Adam's moments
        and step), ``optimizer.WHICH.learning_rate`` and ``steps``. The tensors are copies.
        """
        state = {f"network.{name}": tensor.detach() for name, tensor in self._tensors()}
        names: dict[Tensor, str] = {parameter: name for name, parameter in self.named_parameters()}
        for which, optimizer in self.optimizers.items():
            rate = float(optimizer.param_groups[0]["lr"])
            state[f"optimizer.{which}.learning_rate"] = torch.tensor(rate, dtype=torch.float64)
            for parameter, values in optimizer.state.items():
                for key, value in values.items():
                    state[f"optimizer.{which}.{names[parameter]}.{key}"] = value
        state["steps"] = torch.tensor(self.steps)
        return {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in state.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what ``state_dict`` gave, exactly. InputError names what is missing, unknown or of
        another shape.
        """
        own = dict(self._tensors())
        wanted = {f"network.{name}" for name in own} | {"steps"}
        wanted |= {f"optimizer.{which}.learning_rate" for which in self.optimizers}
        parameters = dict(self.named_parameters())
        moments: dict[str, dict[nn.Parameter, dict[str, Tensor]]] = {which: {} for which in self.optimizers}
        unknown = []
        for name, tensor in state.items():
            if name in wanted:
                continue
            head, _, rest = name.partition(".")
            which, _, rest = rest.partition(".")
            owner, _, key = rest.rpartition(".")
            if head != "optimizer" or which not in moments or owner not in parameters:
                unknown.append(name)
                continue
            values = moments[which].setdefault(parameters[owner], {})
            values[key] = self._placed(tensor, parameters[owner])
        missing = sorted(wanted - set(state))
        if missing or unknown:
            raise InputError(
                f"state: the tensors of {self.name} under {self.protocol} wanted; "
                f"missing: {', '.join(missing[:5]) or 'none'}; unknown: {', '.join(unknown[:5]) or 'none'}"
            )
        for name, target in own.items():
            source = state[f"network.{name}"]
            if source.shape != target.shape or source.dtype != target.dtype:
                raise InputError(
                    f"state: network.{name} as {target.dtype} {tuple(target.shape)} wanted, "
                    f"got {source.dtype} {tuple(source.shape)}"
                )
        with torch.no_grad():
            for name, target in own.items():
                target.copy_(state[f"network.{name}"])
        for which, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = float(state[f"optimizer.{which}.learning_rate"])
            optimizer.state.clear()
            optimizer.state.update(cast(Any, moments[which]))
        self.steps = int(state["steps"])

    def to(self, device: torch.device | str) -> BaseObjective:
        """Move networks and optimizer state to ``device``, in place; returns the objective itself."""
        self.device = torch.device(device)
        # features innermost, as tensor cores want them; our kernels on the CPU bring their own order
        layout = torch.channels_last if self.device.type == "cuda" else torch.contiguous_format
        for _, network in self.networks:
            network.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        for optimizer in self.optimizers.values():
            for parameter, values in optimizer.state.items():
                for key, value in values.items():
                    values[key] = self._placed(value, parameter)
        return self

    def _placed(self, value: Tensor, parameter: Tensor) -> Tensor:
        """A copy of an optimizer's value on the device, a parameter's moment in the parameter's layout."""
        moved = value.to(self.device, copy=True)
        return in_layout_of(parameter, moved) if moved.shape == parameter.shape else moved

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for prefix, network in self.networks:
            for name, tensor in network.state_dict(keep_vars=True).items():
                yield f"{prefix}.{name}", tensor

    def _checked(self, views: Sequence[Tensor], labels: Tensor) -> tuple[Tensor, ...]:
        wanted = 2 if self.pair_views else 1
        if len(views) != wanted:
            raise InputError(f"views: a tuple of {wanted} wanted for {self.name}, got {len(views)}")
        shape = (self.channels, self.size_px, self.size_px)
        for position, view in enumerate(views):
            if view.dtype != torch.float32:
                raise TypeError(f"views[{position}]: float32 wanted, got {view.dtype}")
            if (
                view.ndim != 4
                or tuple(view.shape[1:]) != shape
                or len(view) != len(views[0])
                or not len(view)
            ):
                raise InputError(
                    f"views[{position}]: shape (B, {', '.join(map(str, shape))}) wanted, "
                    f"got {tuple(view.shape)}"
                )
        if labels.dtype != torch.int64:
            raise TypeError(f"labels: int64 wanted, got {labels.dtype}")
        if labels.shape != views[0].shape[:1]:
            raise InputError(f"labels: shape ({len(views[0])},) wanted, got {tuple(labels.shape)}")
        # only where it costs no wait for the device
        if self.needs_labels and labels.device.type == "cpu" and not ((labels == 0) | (labels == 1)).all():
            raise InputError(f"labels: 0 (control) and 1 (drug) wanted, got {sorted(set(labels.tolist()))}")
        return tuple(views)


def classification_loss(logits: Tensor, labels: Tensor, *, protocol: ProtocolId) -> Tensor:
    """Cross-entropy of logits (N, 2) and labels (N,), summed over the images.

    ``reference-1`` applies softmax first and gives its result to the cross-entropy as if it were logits, as
    the study's program does.
    """
    scores = logits.softmax(1) if protocol == "reference-1" else logits
    return functional.cross_entropy(scores, labels, reduction="sum")


def reconstruction_loss(logits: Tensor, images: Tensor) -> Tensor:
    """Binary cross-entropy of sigmoid(logits) and images (N, C, S, S): mean over an image, summed over the
    images.
    """
    summed = functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
    return summed / images[0].numel()
