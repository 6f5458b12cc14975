"""Names for the types that cross module boundaries."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    UInt8Array: TypeAlias = NDArray[np.uint8]
    Int64Array: TypeAlias = NDArray[np.int64]
    Float32Array: TypeAlias = NDArray[np.float32]
    Float64Array: TypeAlias = NDArray[np.float64]
    BoolArray: TypeAlias = NDArray[np.bool_]

_ARRAYS = {
    "UInt8Array": "uint8",
    "Int64Array": "int64",
    "Float32Array": "float32",
    "Float64Array": "float64",
    "BoolArray": "bool_",
}


def __getattr__(name: str) -> Any:
    # The command line reads option types here, and NumPy takes longer to import than all else of `--help`.
    if name not in _ARRAYS:
        raise AttributeError(f"module 'morphobench.types' has no attribute {name!r}")
    import numpy as np
    from numpy.typing import NDArray

    generic: Any = NDArray
    return generic[getattr(np, _ARRAYS[name])]


Path: TypeAlias = str | PathLike[str]
"""A file or folder, as users pass it."""

Protocol: TypeAlias = Literal["reference-1", "corrected-1"]
"""Which rules a result was made under; results of different protocols are never compared."""

Precision: TypeAlias = Literal["float32", "tf32", "bf16"]
"""What an accelerator multiplies in: float32; tf32 (float32 with 10 bits of mantissa); bf16 by autocast."""

Direction: TypeAlias = Literal["up", "down", "none"]
"""Whether a larger ("up") or smaller ("down") value of a metric is better; "none": descriptive only."""

PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bf16")
PROTOCOLS: tuple[Protocol, ...] = ("reference-1", "corrected-1")
DEFAULT_PROTOCOL: Protocol = "corrected-1"

Aggregate: TypeAlias = Literal["mean", "median"]
"""How a well's images become its profile, feature by feature."""

Normalization: TypeAlias = Literal["mad_robustize", "spherize", "tvn", "harmony", "none"]
"""How profiles are normalized to negative controls, or corrected for batch effects."""

SplitBy: TypeAlias = Literal["auto", "plate", "well", "image"]
"""What the parts of a split do not share; ``"auto"``: a plate, or a well where there is one plate."""

SplitChoice: TypeAlias = Literal["auto", "none"]
"""Whether tasks report the test split, or all images where nothing was trained on them."""

ProfileLevel: TypeAlias = Literal["well", "treatment"]
"""What a profile is of: one well, or all wells of a compound at a concentration."""

ProfileMetric: TypeAlias = Literal["cosine", "correlation", "euclidean"]
"""Distance between profiles."""

NORMALIZATIONS: tuple[Normalization, ...] = ("mad_robustize", "spherize", "tvn", "harmony", "none")
