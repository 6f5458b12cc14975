"""What a benchmark records of itself beside its peers: ratios within rounds, with intervals."""

from __future__ import annotations

from typing import Any

from morphobench.measure import Timings


def beside(times: Timings, *, ours: str, peer: str, peer_name: str, calls: float = 1.0) -> dict[str, Any]:
    """Make the ``extra_info`` of a benchmark with one peer, which comparisons and the summary read.

    Args:
        times: of both in the same rounds.
        ours: our name there.
        peer: the peer's name there.
        peer_name: what the peer is.
        calls: how many of our calls stand beside one of the peer's in a round.

    Returns:
        How many times faster we are, with its interval, and our time relative to the peer's.
    """
    faster = times.ratio_interval(peer, to=ours).scaled(calls)
    return {
        "peer": peer_name,
        "times_faster_than_peer": round(faster.value, 2),
        "times_faster_interval": [faster.low, faster.high],
        **relative(times, ours=ours, peer=peer, calls=calls),
    }


def relative(times: Timings, *, ours: str, peer: str, calls: float = 1.0) -> dict[str, Any]:
    """Make the part of it by which commits are compared.

    Args:
        times: of both in the same rounds.
        ours: our name there.
        peer: the peer's name there.
        calls: how many of our calls stand beside one of the peer's in a round.

    Returns:
        Our time relative to the peer's, with its interval.
    """
    found = times.ratio_interval(ours, to=peer).scaled(1 / calls)
    return {"relative_time": found.value, "relative_time_interval": [found.low, found.high]}
