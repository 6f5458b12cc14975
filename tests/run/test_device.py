"""Where a run trains, by the name that was given."""

from __future__ import annotations

import pytest
import torch

from morphobench.errors import InputError
from morphobench.run.device import choose_device


@pytest.mark.parametrize("present", [False, True])
def test_auto_is_a_gpu_where_there_is_one(present: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    assert choose_device("auto") == ("cuda" if present else "cpu")
    assert choose_device("cpu") == "cpu"
    if present:
        assert choose_device("cuda:1") == "cuda:1"
    else:
        with pytest.raises(InputError, match="finds no CUDA device, got 'cuda:1'"):
            choose_device("cuda:1")


@pytest.mark.parametrize("name", ["gpu", "meta", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="--device must be auto, cpu, cuda or cuda:N, got"):
        choose_device(name)
