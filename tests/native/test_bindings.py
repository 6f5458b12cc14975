"""Every binding with arguments that fit and that do not: taken or refused, nothing written elsewhere."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.binding_calls import BindingCalls

CALLS = 4_000


@pytest.mark.parametrize("seed", range(3))
def test_calls_are_taken_or_refused(seed: int) -> None:
    calls, found = BindingCalls(seed), Counter[tuple[str, str]]()
    names = sorted(calls.bindings)
    for _ in range(CALLS):
        name = calls.random.choice(names)
        found[name, calls.call(name)] += 1
    assert {outcome for _, outcome in found} == {"taken", "refused"}
    assert {name for name, outcome in found if outcome == "taken"} == set(names)


def test_every_binding_is_called() -> None:
    from morphobench import _core

    functions = {name for name in vars(_core) if not name.startswith("_") and name[0].islower()}
    assert functions <= set(BindingCalls(0).bindings)
