"""A check that the first step trained something."""

from __future__ import annotations

import torch
from torch import Tensor

from morphobench._util.text import first_of
from morphobench.errors import CheckError
from morphobench.training.callbacks.base import GradientHook
from morphobench.training.state import TrainingState

_COMPARED = 4096
"""Values of each parameter that are compared: enough to see any optimizer's step, and no second network."""


class FirstStepCheck(GradientHook):
    """Ends a training whose first step left a trained parameter without gradient, or changed none.

    So that a method that forgets ``backward``, detaches its networks or optimizes other ones is not ranked
    with the quality of its untrained encoder.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._before: list[Tensor] | None = None
        self._without: list[Tensor] = []

    def start(self, state: TrainingState) -> None:
        """Note the parameters; a training that goes on from a checkpoint was checked before.

        Args:
            state: of the training.
        """
        if state.step:
            return
        objective = state.objective
        if not objective.trained():
            raise CheckError(f"{state.setup}: an optimizer must have parameters to train, got none")
        self._before = [_sample(parameter) for parameter in objective.trained()]
        super().start(state)

    def _act(self, parameters: list[Tensor]) -> None:
        self._without += [parameter for parameter in parameters if parameter.grad is None]

    def step(self, state: TrainingState) -> None:
        """Check after the first step.

        Args:
            state: of the training.

        Raises:
            CheckError: naming parameters without gradient, or where no parameter changed.
        """
        if self._before is None:
            return
        before, self._before = self._before, None
        self.close(None)
        if self._without:
            ids = {id(parameter) for parameter in self._without}
            names = [name for name, one in state.objective.named_parameters() if id(one) in ids]
            raise CheckError(
                f"{state.setup}: every trained parameter must get a gradient in the first step, got none "
                f"for {first_of(names, 5)}. Does the loss depend on it, and is backward called where "
                "accumulate is overridden?"
            )
        pairs = zip(before, state.objective.trained(), strict=True)
        if all(torch.equal(old, _sample(parameter)) for old, parameter in pairs):
            raise CheckError(
                f"{state.setup}: the first step must change parameters, got the same weights as before. "
                "Is the gradient zero, or the optimizer's step missing?"
            )


def _sample(parameter: Tensor) -> Tensor:
    return parameter.detach().reshape(-1)[:_COMPARED].clone()
