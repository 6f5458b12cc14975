"""The default data: a simulated study of drug-treated cells with known right answers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from morphobench._util.cpu import available_cores
from morphobench._util.integers import check_integer
from morphobench.data.simulate.design import StudyDesign
from morphobench.data.simulate.ground_truth import CELL_LINES, COMPOUNDS
from morphobench.data.simulate.render import SIZE_PX
from morphobench.data.store.reader import ImageStore, existing_store
from morphobench.data.store.writer import StoreWriter
from morphobench.types import Path as PathLike

SIMULATION_VERSION = 1
"""Raised when the images of one seed change; one of a store's options, so that old stores are refused."""

_BATCH = 64


def simulate(
    destination: PathLike,
    *,
    images: int,
    seed: int = 0,
    null: bool = False,
    cell_lines: int = 21,
    compounds: int = 31,
    plates: int = 10,
    fresh: bool = False,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageStore:
    """Make a store of cell-like grey images, uint8 (N, 1, 64, 64), of a study with known answers.

    21 cell lines under 31 drugs and 2 controls (DMSO, PBS) on 10 plates. Every plate holds every cell line,
    as many controls as drugs and, from about 13,000 images on, every drug. Drugs change shape and texture by
    planted amounts, graded from weak to strong (``Metadata_Strength``); 13 pairs of drugs share a mechanism
    (``Metadata_MOA``) and hence an effect. Plates differ in exposure, background and noise.

    Image i depends on ``seed``, i and the options, not on the number of images or threads.

    Args:
        destination: folder of the store. A store made with the same options is returned as it is; one made
            with others is refused, naming them.
        images: number of images, N.
        seed: random seed of the images.
        null: draw the same design and metadata without any effect of the drugs.
        cell_lines: number of cell lines, 1 to 21.
        compounds: number of drugs, 1 to 31.
        plates: number of plates, 1 to 999.
        fresh: replace a store at ``destination``.
        threads: number of threads; None for every core that this process may use.
        progress: called with (done, total) as images are written.

    Returns:
        The store.

    Raises:
        InputError: for arguments out of range, or a destination that is taken.
    """
    _check(
        images=images, seed=seed, cell_lines=cell_lines, compounds=compounds, plates=plates, threads=threads
    )
    options = {
        "images": images,
        "seed": seed,
        "null": bool(null),
        "cell_lines": cell_lines,
        "compounds": compounds,
        "plates": plates,
        "simulation_version": SIMULATION_VERSION,
    }
    made = existing_store(destination, created_by="simulate", options=options, fresh=fresh)
    if made is not None:
        return made
    design = StudyDesign(seed=seed, null=null, cell_lines=cell_lines, compounds=compounds, plates=plates)
    manifest = {"created_by": "simulate", "options": options, "planted": _planted(compounds, null=null)}
    batches = [
        np.arange(start, min(start + _BATCH, images), dtype=np.int64) for start in range(0, images, _BATCH)
    ]
    workers = threads or available_cores()
    with (
        StoreWriter(destination, image_shape=(1, SIZE_PX, SIZE_PX), manifest=manifest, fresh=fresh) as writer,
        ThreadPoolExecutor(workers) as pool,
    ):
        # A window of batches in flight bounds the memory whatever the number of images.
        window = 4 * workers
        done = 0
        for first in range(0, len(batches), window):
            for pixels in pool.map(design.images, batches[first : first + window]):
                writer.append(pixels)
                done += len(pixels)
                if progress is not None:
                    progress(done, images)
        writer.finish(design.metadata(np.arange(images, dtype=np.int64)))
    return ImageStore.open(destination)


def _check(**arguments: int | None) -> None:
    limits = {
        "images": (1, 2**40),
        "seed": (0, 2**63 - 1),
        "cell_lines": (1, len(CELL_LINES)),
        "compounds": (1, len(COMPOUNDS)),
        "plates": (1, 999),
        "threads": (1, 4096),
    }
    for name, value in arguments.items():
        least, most = limits[name]
        if name != "threads" or value is not None:
            check_integer(name, value, most, least=least)


def _planted(compounds: int, *, null: bool) -> dict[str, dict[str, object]]:
    return {
        compound.name: {"moa": compound.moa, "strength": 0.0 if null else compound.strength}
        for compound in COMPOUNDS[:compounds]
    }
