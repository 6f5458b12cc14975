"""What an engine cannot do is refused before any job is sent; no cluster is needed to see that."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from morphobench.errors import InputError
from morphobench.run.engines import RayEngine, Work


def test_ray_without_an_address_starts_its_own_cluster_and_refuses_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    ended: list[bool] = []
    node = {"Alive": True, "Resources": {"CPU": 2.0}}
    ray = SimpleNamespace(
        is_initialized=lambda: False,
        init=lambda **given: started.append(given["address"]),
        nodes=lambda: [node],
        shutdown=lambda: ended.append(True),
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    work = Work("two", "tests.support.engine_jobs:square", {"folder": tmp_path, "number": 2})
    for threads, gpus in ((3, 0), (1, 1)):
        with pytest.raises(InputError, match="--threads and --device must be what this machine has, got"):
            list(RayEngine(threads=threads, gpus=gpus).run([work], on_message=lambda name, message: None))
    assert started == ["local", "local"]  # None would join the cluster that was started here last
    assert ended == [True, True]
