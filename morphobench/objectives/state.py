"""Networks and optimizers by name, on one device, and their exact state as flat tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn

from morphobench.errors import InputError
from morphobench.models.microbatch import in_layout_of
from morphobench.types import Protocol as ProtocolId


class NamedNetworks:
    """Networks and their optimizers, saved and restored bit for bit.

    Attributes:
        name: the paradigm's name, for messages.
        protocol: the protocol whose rules it follows, for messages.
        device: where the networks are.
        networks: all networks by the prefix of their parameters' names.
        optimizers: torch optimizers by name.
        steps: steps done.
    """

    name: ClassVar[str]
    protocol: ProtocolId
    device: torch.device
    networks: list[tuple[str, nn.Module]]
    optimizers: dict[str, torch.optim.Optimizer]
    steps: int

    def trained(self) -> list[nn.Parameter]:
        """Return the parameters that the optimizers step, in their order."""
        groups = [group for optimizer in self.optimizers.values() for group in optimizer.param_groups]
        return [parameter for group in groups for parameter in group["params"]]

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield every parameter with its published name, such as ``model.0.weight``."""
        for prefix, network in self.networks:
            yield from network.named_parameters(prefix)

    def state_dict(self) -> dict[str, Tensor]:
        """Return everything that the next step depends on, as flat tensors on the CPU; they are copies.

        Their names: ``network.NAME`` (parameters, buffers, a target), ``optimizer.WHICH.NAME.KEY`` (moments
        and step), ``optimizer.WHICH.learning_rate`` and ``steps``.
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
        """Take over what ``state_dict`` returned, exactly.

        Args:
            state: tensors by name.

        Raises:
            InputError: naming tensors that are missing, unknown or of another shape.
        """
        own = dict(self._tensors())
        expected = {f"network.{name}" for name in own} | {"steps"}
        expected |= {f"optimizer.{which}.learning_rate" for which in self.optimizers}
        parameters = dict(self.named_parameters())
        moments: dict[str, dict[nn.Parameter, dict[str, Tensor]]] = {which: {} for which in self.optimizers}
        unknown = []
        for name, tensor in state.items():
            if name in expected:
                continue
            head, _, rest = name.partition(".")
            which, _, rest = rest.partition(".")
            owner, _, key = rest.rpartition(".")
            if head != "optimizer" or which not in moments or owner not in parameters:
                unknown.append(name)
                continue
            values = moments[which].setdefault(parameters[owner], {})
            values[key] = self._placed(tensor, parameters[owner])
        missing = sorted(expected - set(state))
        if missing or unknown:
            raise InputError(
                f"state must hold the tensors of {self.name} under {self.protocol}, got one with "
                f"missing: {', '.join(missing[:5]) or 'none'}; unknown: {', '.join(unknown[:5]) or 'none'}"
            )
        for name, target in own.items():
            source = state[f"network.{name}"]
            if source.shape != target.shape or source.dtype != target.dtype:
                raise InputError(
                    f"state: network.{name} must be {target.dtype} {tuple(target.shape)}, "
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

    def to(self, device: torch.device | str) -> Self:
        """Move networks and optimizer state to a device, in place.

        Args:
            device: such as ``"cpu"`` or ``"cuda:0"``.

        Returns:
            The objective itself.
        """
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
        """Copy an optimizer's value to the device, a parameter's moment in the parameter's layout."""
        moved = value.to(self.device, copy=True)
        return in_layout_of(parameter, moved) if moved.shape == parameter.shape else moved

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for prefix, network in self.networks:
            for name, tensor in network.state_dict(keep_vars=True).items():
                yield f"{prefix}.{name}", tensor
