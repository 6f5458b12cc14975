"""Arrays, tensors and data sets of other libraries into a store, prepared as ``ingest`` prepares files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morphobench.data.ingest.decode import Pixels
from morphobench.data.ingest.limits import MAX_CHANNELS
from morphobench.data.ingest.pillow import pillow_frame
from morphobench.data.ingest.preprocess import Preparation, preparation
from morphobench.data.metadata import is_class_name
from morphobench.data.store.format import channels_are_last
from morphobench.data.store.writer import StoreWriter
from morphobench.errors import InputError
from morphobench.types import Path as PathLike
from morphobench.types import UInt8Array

_BATCH = 256


def write_arrays(
    destination: PathLike,
    images: Iterable[Any],
    metadata: pd.DataFrame | Mapping[str, Sequence[Any]] | None = None,
    *,
    channel_names: Sequence[str] | None = None,
    fresh: bool = False,
    created_by: str = "arrays",
    **prepared: Any,
) -> None:
    """Write images as a store.

    Args:
        destination: as of ``ImageStore.from_arrays``, like all that follow.
        images: of any kind that it takes.
        metadata: one row per image.
        channel_names: names of the C channels.
        fresh: whether a store there is replaced.
        created_by: kept in the manifest.
        **prepared: what ``preparation`` takes.

    Raises:
        InputError: for images of another kind, or a destination that is taken.
        TypeError: for another dtype.
    """
    plan = preparation(**prepared)
    names = tuple(channel_names or ())
    rows = iter(_prepared(images, plan, names))
    first = next(rows, None)
    if first is None:
        raise InputError("images must hold at least one image, got none")
    kept = [names[number] for number in plan.channel_numbers(names, len(names))] if names else None
    options = {"size_px": plan.size_px, "channels": plan.channels, "fit": plan.fit, "range": plan.value_range}
    manifest = {"created_by": created_by, "options": options, "channel_names": kept}
    with StoreWriter(destination, image_shape=first.shape, manifest=manifest, fresh=fresh) as writer:
        count, batch = 0, [first]
        for image in rows:
            batch.append(image)
            if len(batch) == _BATCH:
                writer.append(np.stack(batch))
                count, batch = count + len(batch), []
        if batch:
            writer.append(np.stack(batch))
            count += len(batch)
        table = pd.DataFrame(index=range(count)) if metadata is None else _table(metadata)
        writer.finish(table)


def _table(metadata: pd.DataFrame | Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    return metadata if isinstance(metadata, pd.DataFrame) else pd.DataFrame(dict(metadata))


def write_dataset(destination: PathLike, dataset: Any, *, fresh: bool = False, **prepared: Any) -> None:
    """Write a data set of torchvision's or Hugging Face's kind as a store.

    The class of a sample becomes Metadata_Compound, by its name where the data set knows it (``classes`` or
    ``features``), and control-like names (DMSO, control ...) become negative controls.

    Args:
        destination: as of ``ImageStore.from_dataset``, like all that follow.
        dataset: of any kind that it takes.
        fresh: whether a store there is replaced.
        **prepared: what ``preparation`` takes.

    Raises:
        InputError: for samples of another kind.
    """
    labels: list[Any] = []
    names = _class_names(dataset)

    def images() -> Iterator[Any]:
        for sample in _samples(dataset):
            image, label = _parts(sample)
            labels.append(label)
            yield image

    lazily = _Later(lambda: _label_columns(labels, names))
    write_arrays(destination, images(), lazily, fresh=fresh, created_by="dataset", **prepared)


class _Later(Mapping[str, Any]):
    """Metadata that is known once all images have been read."""

    def __init__(self, make: Callable[[], dict[str, list[Any]]]) -> None:
        self._make = make

    def __getitem__(self, key: str) -> Any:
        return self._make()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._make())

    def __len__(self) -> int:
        return len(self._make())


def _label_columns(labels: list[Any], names: Sequence[str] | None) -> dict[str, list[Any]]:
    if all(label is None for label in labels):
        return {"Metadata_Row": list(range(len(labels)))}
    texts = []
    for label in labels:
        value = label.item() if hasattr(label, "item") else label
        known = names is not None and isinstance(value, int) and 0 <= value < len(names)
        texts.append(
            None if value is None else str(names[value]) if known and names is not None else str(value)
        )
    # drugs / controls say what is treated and not with what; checked_columns infers the class either way
    column = (
        "Metadata_Class"
        if all(text is None or is_class_name(text) for text in texts)
        else "Metadata_Compound"
    )
    found: dict[str, list[Any]] = {column: texts}
    if column == "Metadata_Class":
        found["Metadata_ControlType"] = texts
    return found


def _class_names(dataset: Any) -> Sequence[str] | None:
    classes = getattr(dataset, "classes", None)
    if classes is not None:
        return list(classes)
    features = getattr(dataset, "features", None)
    label = features.get("label") if isinstance(features, Mapping) else None
    names = getattr(label, "names", None)
    return None if names is None else list(names)


def _samples(dataset: Any) -> Iterable[Any]:
    if hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__"):
        return (dataset[number] for number in range(len(dataset)))
    if isinstance(dataset, Iterable):
        return dataset
    raise InputError(f"dataset must have len() and indices, or be iterable, got {type(dataset).__name__}")


def _parts(sample: Any) -> tuple[Any, Any]:
    if isinstance(sample, Mapping):
        key = next((key for key in ("image", "img", "pixel_values") if key in sample), None)
        if key is None:
            raise InputError(
                f"dataset must have samples with an image, got the keys {', '.join(map(str, sample))}"
            )
        return sample[key], sample.get("label", sample.get("labels"))
    if isinstance(sample, tuple | list) and sample:
        return sample[0], sample[1] if len(sample) > 1 else None
    raise InputError(f"dataset must have samples (image, class), got {type(sample).__name__}")


def _prepared(images: Iterable[Any], plan: Preparation, names: Sequence[str]) -> Iterator[UInt8Array]:
    if isinstance(images, np.ndarray) and images.ndim not in (3, 4):
        raise InputError(f"images must have shape (N, H, W) or (N, C, H, W), got {images.shape}")
    channels = 0
    for number, image in enumerate(images):
        pixels = _pixels(image, number)
        if names and len(names) != len(pixels):
            raise InputError(f"channel_names must name {len(pixels)} channels, got {len(names)}")
        prepared = plan.apply(pixels, names=names)[0]
        if len(prepared) != (channels := channels or len(prepared)):
            raise InputError(
                f"images must have {channels} channels like the first, got {len(prepared)} in image {number}"
            )
        yield prepared


def _pixels(image: Any, number: int) -> Pixels:
    """(C, H, W) of an array, tensor or PIL image."""
    if hasattr(image, "getbands"):
        array: NDArray[Any] = pillow_frame(image)
    else:
        if hasattr(image, "detach"):  # a torch tensor
            image = image.detach().cpu().numpy()
        array = np.asarray(image)
    if array.dtype not in (np.uint8, np.uint16):
        raise TypeError(
            f"images must have dtype uint8 or uint16, got {array.dtype} in image {number}: scale them first"
        )
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(f"images must have shape (H, W) or (C, H, W), got {array.shape} in image {number}")
    if channels_are_last(array.shape):
        raise InputError(
            f"images must have shape (C, H, W), got {array.shape} in image {number}, with channels last: "
            "numpy.moveaxis(image, -1, 0) puts them first"
        )
    if len(array) > MAX_CHANNELS:
        raise InputError(
            f"images must have at most {MAX_CHANNELS} channels, got {len(array)} in image {number}"
        )
    return np.ascontiguousarray(array)
