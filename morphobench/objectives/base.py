"""What objectives share: networks by name, optimizers, the step, argument checks, settings and state."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor, nn

from morphobench.errors import InputError
from morphobench.models import Decoder, seeded
from morphobench.models.backbones import EncoderFactory, encoder_identity, make_encoder, needs_whole_batch
from morphobench.objectives.microbatches import MicrobatchedNetworks
from morphobench.objectives.protocol import Batch, Sampler, StopRule
from morphobench.objectives.validation import check_labels, check_views
from morphobench.types import PROTOCOLS
from morphobench.types import Protocol as ProtocolId

OPTIMIZERS: dict[str, type[torch.optim.Adam]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
"""Optimizers by the name that the option ``optimizer`` takes."""

_NOT_SETTINGS = ("self", "device", "encoder")
_Module = TypeVar("_Module", bound=nn.Module)


class BaseObjective(MicrobatchedNetworks):
    """Base class of objectives: a paradigm adds its networks and its loss.

    The short way is :meth:`loss`, from which this class makes the whole step (forward, backward, optimizer)
    and the validation. A paradigm that computes its gradients itself, for example a micro-batch at a time,
    overrides :meth:`accumulate` instead.

    Attributes:
        name: the paradigm's name in records and tables.
        pair_views: whether a step takes two further views of each image instead of one view.
        needs_labels: whether labels must be 0 and 1.
        encoder: the network that embeds.
        networks: all networks by the prefix of their parameters' names.
        optimizers: torch optimizers by name.
        steps: steps done.
        ema_decay: decay of a target's or teacher's moving average; None where there is none.
    """

    name: ClassVar[str]
    pair_views: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = True
    ema_decay: float | None = None
    _settings: dict[str, Any]

    def __new__(cls, *_: Any, **given: Any) -> BaseObjective:
        """Note the arguments of the constructors, with their defaults, for :meth:`describe`."""
        self = super().__new__(cls)
        self._settings = {**_constructor_defaults(cls), **given}
        return self

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
        optimizer: str = "adam",
        weight_decay: float = 0.0,
    ) -> None:
        """Make the networks with their initial weights, and the optimizers.

        Args:
            protocol: the protocol whose rules to follow.
            channels: channels of the images.
            seed: seed of the initial weights; the encoder's depend on it alone, whatever the paradigm.
            device: where the networks are put.
            learning_rate: of every optimizer; the default is the study's.
            size_px: height and width of a view.
            micro_batch: images per pass; default 16 on a CPU, the whole batch elsewhere. Changes results by
                rounding only. An encoder with batch statistics takes each batch whole.
            encoder: name of the encoder, or its factory (see ``morphobench.models.make_encoder``).
            optimizer: ``"adam"``, the study's, or ``"adamw"`` (Loshchilov and Hutter 2019).
            weight_decay: of every optimizer.

        Raises:
            InputError: for an unknown name or a number out of range.
        """
        if protocol not in PROTOCOLS:
            raise InputError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
        if seed < 0:
            raise InputError(f"seed must be at least 0, got {seed}")
        if micro_batch is not None and micro_batch < 1:
            raise InputError(f"micro_batch must be at least 1, got {micro_batch}")
        if optimizer not in OPTIMIZERS:
            raise InputError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
        if weight_decay < 0:
            raise InputError(f"weight_decay must be at least 0, got {weight_decay}")
        self.protocol = protocol
        self.channels = channels
        self.size_px = size_px
        self.seed = seed
        self.learning_rate = learning_rate
        self.device = torch.device(device)
        self.micro_batch = micro_batch
        self.steps = 0
        self.networks: list[tuple[str, nn.Module]] = []
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self._optimizer, self._weight_decay = optimizer, weight_decay
        self._encoder_name = encoder
        self.encoder = self.make_encoder()
        self.takes_whole_batch = needs_whole_batch(self.encoder)
        self.embedding_size = int(cast(int, self.encoder.embedding_size))
        self.build()
        if all(network is not self.encoder for _, network in self.networks):
            self.networks.insert(0, ("encoder", self.encoder))
        if not self.optimizers:
            self.optimize("adam", *(network for _, network in self.networks))
        self.to(self.device)

    # what a paradigm defines

    def build(self) -> None:
        """Add networks and optimizers; ``self.encoder`` is there already.

        An encoder that is not added is added as ``encoder``; without an optimizer of its own, one takes the
        parameters of all networks.
        """

    def loss(self, views: tuple[Tensor, ...], batch: Batch) -> Tensor | dict[str, Tensor]:
        """Compute the loss of a batch.

        Args:
            views: float32 (B, C, S, S) in [0, 1]; one, or two with ``pair_views``.
            batch: labels and groups.

        Returns:
            The loss, a 0-dim tensor; or several terms by name, with the one to minimize as ``"loss"``.
        """
        raise NotImplementedError(f"{type(self).__name__} must define loss(views, batch)")

    def accumulate(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Add the gradients of a batch to ``.grad``; without gradients enabled only compute its terms.

        Args:
            views: as in :meth:`loss`; checked already.
            batch: labels and groups.

        Returns:
            0-dim detached tensors by name, ``"loss"`` first.

        Raises:
            InputError: where the loss is no 0-dim tensor, or depends on no parameter.
        """
        found = self.loss(views, batch)
        terms = {"loss": found} if isinstance(found, Tensor) else dict(found)
        loss = terms.get("loss")
        if loss is None or loss.ndim:
            got = ", ".join(terms) if loss is None else f"one of shape {tuple(loss.shape)}"
            raise InputError(f"{self.name}: loss must return a 0-dim tensor 'loss', got {got}")
        if torch.is_grad_enabled():
            if not loss.requires_grad:
                raise InputError(f"{self.name}: the loss must depend on the networks, got a constant")
            loss.backward()  # type: ignore[no-untyped-call]
        rest = {name: term.detach() for name, term in terms.items() if name != "loss"}
        return {"loss": loss.detach(), **rest}

    def evaluate(self, views: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
        """Compute the terms of a batch; called without gradients and in evaluation mode.

        Args:
            views: as in :meth:`loss`.
            batch: labels and groups.

        Returns:
            As :meth:`accumulate`.
        """
        return self.accumulate(views, batch)

    def after_update(self) -> None:
        """Do what follows the optimizers' step; nothing by default."""

    @property
    def stop_rule(self) -> StopRule | None:
        """When the protocol ends training before the last epoch; None: never."""
        return None

    @property
    def sampler(self) -> Sampler | None:
        """How batches are sampled; None: the shuffled order that all setups share."""
        return None

    @property
    def supervised_by(self) -> str | None:
        """The group whose identity it learns from (one of ``protocol.GROUPS``); None: of no group."""
        return None

    # building blocks

    def make_encoder(self) -> nn.Module:
        """Return an encoder with the seed's initial weights, the same ones each time."""
        with seeded(self.seed, "encoder"):
            return make_encoder(self._encoder_name, self.channels, self.size_px)

    def add(self, prefix: str, part: str, make: Callable[[], _Module]) -> _Module:
        """Make a network with initial weights of its own seed, and register it.

        Args:
            prefix: the network's parameters are named ``prefix.*``.
            part: name from which, with the objective's seed, the initial weights are drawn.
            make: makes the network.

        Returns:
            The network.
        """
        with seeded(self.seed, part):
            network = make()
        self.networks.append((prefix, network))
        return network

    def add_decoder(self) -> nn.Module:
        """Add the study's decoder as ``decoder``, behind a linear layer where another encoder needs one."""
        decoder = self.add("decoder", "decoder", lambda: Decoder(self.channels, size_px=self.size_px))
        inputs = math.prod(decoder.feature_shape)
        if inputs == self.embedding_size:
            return decoder
        return nn.Sequential(
            self.add("bridge", "bridge", lambda: nn.Linear(self.embedding_size, inputs)), decoder
        )

    def optimize(self, name: str, *networks: nn.Module) -> None:
        """Add an optimizer over the parameters of some networks that require gradients.

        Args:
            name: the optimizer's name in the state.
            networks: what it trains.
        """
        parameters = [one for network in networks for one in network.parameters() if one.requires_grad]
        self.optimizers[name] = OPTIMIZERS[self._optimizer](
            parameters, lr=self.learning_rate, weight_decay=self._weight_decay, fused=True
        )

    # the contract of Objective

    def describe(self) -> dict[str, Any]:
        """Return every argument of the constructors, and the encoder's name and shapes."""
        own = {name: value for name, value in self._settings.items() if name not in _NOT_SETTINGS}
        return {"paradigm": self.name, **own, **encoder_identity(self.encoder)}

    def train_step(self, views: Sequence[Tensor], labels: Tensor | Batch) -> dict[str, Tensor]:
        """Take one whole step: forward, backward, optimizers, and what follows.

        Args:
            views: float32 (B, C, S, S) in [0, 1]; one, or two for an objective with ``pair_views``.
            labels: int64 (B,), 0 control and 1 drug; or a batch that also holds groups.

        Returns:
            0-dim detached tensors by name, ``"loss"`` first, without waiting for the device.

        Raises:
            TypeError: for another dtype.
            InputError: for another shape, number of views or label.
        """
        terms = self.accumulate(*self._checked(views, labels))
        self.update()
        return terms

    def validation_loss(self, views: Sequence[Tensor], labels: Tensor | Batch) -> dict[str, Tensor]:
        """Compute the terms of ``train_step`` in evaluation mode; changes no state.

        Args:
            views: as in :meth:`train_step`.
            labels: as in :meth:`train_step`.

        Returns:
            As :meth:`train_step`.
        """
        checked = self._checked(views, labels)
        networks = [network for _, network in self.networks]
        training = [network.training for network in networks]
        try:
            for network in networks:
                network.eval()
            with torch.no_grad():
                return self.evaluate(*checked)
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

    def _checked(self, views: Sequence[Tensor], labels: Tensor | Batch) -> tuple[tuple[Tensor, ...], Batch]:
        batch = labels if isinstance(labels, Batch) else Batch(labels)
        shape = (self.channels, self.size_px, self.size_px)
        check_views(views, count=2 if self.pair_views else 1, shape=shape, name=self.name)
        check_labels(batch.labels, images=len(views[0]), binary=self.needs_labels)
        return tuple(views), batch


def _constructor_defaults(cls: type) -> dict[str, Any]:
    """The keyword arguments of all constructors of a class and their defaults; a subclass's count first."""
    found: dict[str, Any] = {}
    for owner in cls.__mro__:
        if "__init__" in vars(owner) and issubclass(owner, BaseObjective):
            for name, parameter in inspect.signature(owner.__init__).parameters.items():
                if parameter.default is not parameter.empty:
                    found.setdefault(name, parameter.default)
    return found
