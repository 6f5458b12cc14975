"""Where a run trains."""

from __future__ import annotations

from morphobench.errors import InputError


def choose_device(device: str) -> str:
    """Choose where training takes place.

    Args:
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Returns:
        The device; for ``"auto"`` CUDA's where PyTorch finds one.

    Raises:
        InputError: for another name, or a CUDA device where there is none.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise InputError(f"--device must be auto, cpu, cuda or cuda:N, got {device!r}") from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(f"--device must be cpu or auto where PyTorch finds no CUDA device, got {device!r}")
    if kind not in ("cpu", "cuda"):
        raise InputError(f"--device must be auto, cpu, cuda or cuda:N, got {device!r}")
    return device
