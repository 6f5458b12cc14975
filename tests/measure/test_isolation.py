"""Functions and objects in processes of their own: values, errors, deaths, memory, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from morphobench.errors import CheckError, InputError
from morphobench.measure import IsolatedError, Remote, run_isolated

TARGETS = "tests.support.measure_targets"
COUNTER = f"{TARGETS}:Counter"
ROOT = Path(__file__).resolve().parents[2]
LIGHT_SERVER = (
    "from morphobench.measure import fork_server, run_isolated\n"
    "fork_server.PRELOADED = ()"  # torch takes seconds, and no script here needs it
)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_value_comes_back_from_another_process() -> None:
    assert run_isolated(f"{TARGETS}:add", {"a": 2, "b": 3}).value == 5
    assert run_isolated(f"{TARGETS}:pid").value != os.getpid()


def test_threads_of_a_process_sleep_while_they_wait() -> None:
    # a server of its own, since one that runs already keeps the environment that it was started with
    script = f"{LIGHT_SERVER}\nprint(run_isolated('{TARGETS}:variable', {{'name': 'OMP_WAIT_POLICY'}}).value)"
    without = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    for chosen, found in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        command = [sys.executable, "-c", script]
        printed = subprocess.run(command, env={**without, **chosen}, cwd=ROOT, capture_output=True, text=True)
        assert printed.stdout.strip() == found, printed.stderr


def test_a_server_and_its_processes_can_be_deaf_to_signals() -> None:
    script = (
        "import os, signal\n"
        "from multiprocessing import forkserver\n"
        f"{LIGHT_SERVER}\n"
        "fork_server.start_server(ignored=(signal.SIGTERM, signal.SIGUSR2))\n"
        "for number in (signal.SIGTERM, signal.SIGUSR2):\n"
        "    os.kill(forkserver._forkserver._forkserver_pid, number)\n"
        "    in_process = run_isolated('signal:getsignal', {'signalnum': number}).value\n"
        "    print(in_process.name, signal.getsignal(number).name)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["SIG_DFL", "SIG_DFL", "SIG_IGN", "SIG_DFL"], done.stderr


def test_ctrl_c_does_not_reach_a_server_that_is_loading() -> None:
    """Else it prints where in torch it was; the caller, and processes once they have begun, are as before."""
    script = (
        "import signal\n"
        "from multiprocessing import forkserver\n"
        "from pathlib import Path\n"
        f"{LIGHT_SERVER}\n"
        "mask = {'how': signal.SIG_BLOCK, 'mask': ()}\n"
        "in_process = run_isolated('signal:pthread_sigmask', mask).value\n"
        "status = Path(f'/proc/{forkserver._forkserver._forkserver_pid}/status').read_text()\n"
        "blocked = int(status.split('SigBlk:')[1].split()[0], 16) >> (signal.SIGINT - 1) & 1\n"
        "print(blocked, in_process, signal.pthread_sigmask(**mask))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "set()", "set()"], done.stderr


def test_memory_of_one_process_does_not_show_in_the_next() -> None:
    before = run_isolated(f"{TARGETS}:allocate", {"megabytes": 1})
    large = run_isolated(f"{TARGETS}:allocate", {"megabytes": 300})
    after = run_isolated(f"{TARGETS}:allocate", {"megabytes": 1})
    mebibyte = 2**20
    grown = (large.peak_host_memory_bytes - before.peak_host_memory_bytes) / mebibyte
    assert large.value == 300 * 131072
    assert abs(grown - 300) < 0.05 * 300
    assert abs(after.peak_host_memory_bytes - before.peak_host_memory_bytes) < 16 * mebibyte


def test_memory_of_the_caller_does_not_show() -> None:
    block = bytearray(200 * 2**20)
    small = run_isolated(f"{TARGETS}:allocate", {"megabytes": 1})
    del block
    again = run_isolated(f"{TARGETS}:allocate", {"megabytes": 1})
    assert abs(small.peak_host_memory_bytes - again.peak_host_memory_bytes) < 16 * 2**20


@pytest.mark.parametrize(("kind", "error"), [("input", InputError), ("check", CheckError)])
def test_known_errors_keep_their_kind_and_message(kind: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^images must be 3, got 2$"):
        run_isolated(f"{TARGETS}:fail", {"kind": kind})


def test_other_errors_carry_type_message_and_traceback() -> None:
    with pytest.raises(IsolatedError, match="ValueError: images must be 3, got 2") as caught:
        run_isolated(f"{TARGETS}:fail", {"kind": "value"})
    assert "targets.py" in caught.value.details


def test_unknown_function_and_malformed_target() -> None:
    with pytest.raises(IsolatedError, match="AttributeError"):
        run_isolated(f"{TARGETS}:nothing")
    with pytest.raises(InputError, match=r"package\.module:function"):
        run_isolated("tests.support.measure_targets.add")


def test_value_that_cannot_travel_is_an_error() -> None:
    with pytest.raises(IsolatedError, match="pickle"):
        run_isolated(f"{TARGETS}:not_picklable")


def test_dead_process_is_a_clear_error() -> None:
    with pytest.raises(IsolatedError, match="killed by SIGKILL; perhaps the machine ran out of memory"):
        run_isolated(f"{TARGETS}:die", {"by": int(signal.SIGKILL)})
    with pytest.raises(IsolatedError, match="killed by SIGSEGV"):
        run_isolated(f"{TARGETS}:die", {"by": int(signal.SIGSEGV)})
    with pytest.raises(IsolatedError, match="exit code 3"):
        run_isolated(f"{TARGETS}:leave", {"code": 3})


def test_messages_arrive_in_order_before_the_value() -> None:
    got: list[int] = []
    result = run_isolated(f"{TARGETS}:count", {"to": 50}, on_message=lambda m: got.append(m["number"]))
    assert (got, result.value) == (list(range(50)), "counted")


def test_timeout_ends_the_process() -> None:
    pids: list[int] = []
    with pytest.raises(IsolatedError, match=r"not done within 0\.5 s"):
        run_isolated(f"{TARGETS}:sleep", {"seconds": 60.0}, on_message=pids.append, timeout_s=0.5)
    assert pids
    assert not _alive(pids[0])


def test_error_in_on_message_ends_the_process() -> None:
    pids: list[int] = []

    def stop(message: int) -> None:
        pids.append(message)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_isolated(f"{TARGETS}:sleep", {"seconds": 60.0}, on_message=stop)
    assert not _alive(pids[0])


def test_interrupts_are_left_to_the_caller() -> None:
    assert run_isolated(f"{TARGETS}:ignores_interrupt").value is True


CALLER = f"""
{LIGHT_SERVER}
run_isolated(
    "tests.support.measure_targets:sleep", {{"seconds": 60.0}}, on_message=lambda pid: print(pid, flush=True)
)
"""


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_process_ends_with_its_caller(by: signal.Signals) -> None:
    caller = subprocess.Popen([sys.executable, "-c", CALLER], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL)  # fmt: skip
    assert caller.stdout is not None
    with caller:
        child = int(caller.stdout.readline())
        assert _alive(child)
        caller.send_signal(by)
        caller.wait(timeout=20)
    deadline = time.monotonic() + 10
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def test_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"{LIGHT_SERVER}\n"
        "print('started')\n"
        "print(run_isolated('tests.support.measure_targets:add', {'a': 1, 'b': 1}).value)\n"
    )
    done = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.stdout.split() == ["started", "2"], done.stderr


def test_the_object_keeps_its_state_between_calls() -> None:
    with Remote(COUNTER, {"start": 3}) as counter:
        assert counter.call("add", by=2) == 5
        assert counter.call("add", by=2) == 7


def test_errors_come_back_and_the_object_lives_on() -> None:
    with Remote(COUNTER, {"start": 0}) as counter:
        with pytest.raises(IsolatedError, match="TypeError"):
            counter.call("add", by="x")
        with pytest.raises(IsolatedError, match="AttributeError"):
            counter.call("multiply")
        assert counter.call("add", by=1) == 1


def test_an_error_of_the_constructor_is_raised_here() -> None:
    with pytest.raises(InputError, match="start must be at least 0, got -1"):
        Remote(COUNTER, {"start": -1})
    with pytest.raises(InputError, match="target must be"):
        Remote("nowhere")


def test_memory_is_that_of_the_object() -> None:
    with Remote(COUNTER, {"start": 0}) as small, Remote(COUNTER, {"start": 0}) as large:
        before = small.peak_host_memory_bytes()
        large.call("allocate", megabytes=200)
        assert large.peak_host_memory_bytes() - before > 180 * 2**20
        assert abs(small.peak_host_memory_bytes() - before) < 8 * 2**20


def test_a_dead_process_is_an_error_not_a_hang() -> None:
    with Remote(COUNTER, {"start": 0}) as counter, pytest.raises(IsolatedError, match="killed by SIGKILL"):
        counter.call("die")
