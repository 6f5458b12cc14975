"""Jobs on this machine: in order, each in its own process, failures reported."""

from __future__ import annotations

from pathlib import Path

from morphobench.run.engines import LocalEngine, Work

JOBS = "tests.support.engine_jobs"


def test_jobs_end_in_order_and_a_failure_stops_nobody(tmp_path: Path) -> None:
    jobs = [
        Work("two", f"{JOBS}:square", {"folder": tmp_path, "number": 2}),
        Work("bad", f"{JOBS}:refuse", {"folder": tmp_path}),
        Work("three", f"{JOBS}:square", {"folder": tmp_path, "number": 3}),
    ]
    finished = list(LocalEngine().run(jobs, on_message=lambda name, message: None))
    assert [one.work.name for one in finished] == ["two", "bad", "three"]
    assert [one.value for one in finished] == [4, None, 9]
    assert finished[1].error is not None
    assert "nothing to do in" in finished[1].error
    assert "Traceback" in finished[1].details


def test_a_failed_check_is_reported_in_its_own_words(tmp_path: Path) -> None:
    work = Work("bad", f"{JOBS}:fail_a_check", {"folder": tmp_path})
    (finished,) = LocalEngine().run([work], on_message=lambda name, message: None)
    assert finished.error == f"loss must be finite, got nan in {tmp_path.name}"
