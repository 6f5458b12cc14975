"""What the pages assume to lie in the current folder: small images, tables, stores and files of results."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from PIL import Image

from morphobench.embeddings import write_embeddings
from tests.run.conftest import tiny_store
from tests.support.nd2 import write_nd2
from tests.support.pages import ROOT, blocks_of
from tests.support.plates import PIXELS, write_plate

COMPOUNDS = ("DMSO", "taxol", "etoposide", "methotrexate")


def store(folder: Path) -> None:
    """``store``: 96 images of one channel on six plates."""
    tiny_store(folder / "store")


def my_store(folder: Path) -> None:
    """``my_store``: the same under another name."""
    tiny_store(folder / "my_store")


def embeddings(folder: Path) -> None:
    """``embeddings.parquet``: 12 features of the images of a store."""
    metadata = tiny_store(folder / "elsewhere").metadata
    features = np.random.default_rng(0).normal(size=(len(metadata), 12))
    write_embeddings(folder / "embeddings.parquet", features.astype(np.float32), metadata)


def normalized_wells(folder: Path) -> None:
    """``wells_normalized.parquet``: features of wells, treatments of two mechanisms in three replicates."""
    generator, treatments = np.random.default_rng(0), 8
    table = pd.DataFrame(
        {
            "Metadata_Plate": np.repeat(["P1", "P2", "P3"], treatments),
            "Metadata_Well": [f"A{number:02d}" for number in range(treatments)] * 3,
            "Metadata_Compound": [f"drug {number}" for number in range(treatments)] * 3,
            "Metadata_Concentration_uM": 1.0,
            "Metadata_MOA": ["one", "two"] * (3 * treatments // 2),
            "Metadata_ControlType": "trt",
        }
    )
    features = pd.DataFrame(generator.normal(size=(len(table), 20))).add_prefix("feature_")
    pd.concat([table, features], axis=1).to_parquet(folder / "wells_normalized.parquet", index=False)


def _pixels(count: int, *shape: int, top: int = 256) -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, top, (count, *shape), dtype=np.uint16)


def class_folders(folder: Path) -> None:
    """``my_images``: PNG files in folders for controls and for two drugs."""
    names = [f"controls/{n}.png" for n in range(6)]
    names += [f"drugs/{drug}/{n}.png" for drug in COMPOUNDS[1:3] for n in range(3)]
    for name, pixels in zip(names, _pixels(12, 70, 70), strict=True):
        (folder / "my_images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "my_images" / name)


def images_and_table(folder: Path) -> None:
    """``my_images``: PNG files, and ``metadata.csv`` about them."""
    rows = []
    for number, pixels in enumerate(_pixels(12, 70, 70)):
        name, compound = f"images/{number}.png", COMPOUNDS[number % 2]
        (folder / "my_images" / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "my_images" / name)
        kind = "trt" if number % 2 else "negcon"
        rows.append((name, f"P{number % 4}", f"A{number:02d}", compound, kind))
    named = ("Plate", "Well", "Compound", "ControlType")
    columns = ["path", *(f"Metadata_{name}" for name in named)]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "my_images" / "metadata.csv", index=False)


def deep_class_folders(folder: Path) -> None:
    """``my_images``: class folders of 16-bit images."""
    for number, pixels in enumerate(_pixels(12, 70, 70, top=9000)):
        path = folder / "my_images" / ("drugs" if number % 2 else "controls") / f"{number}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, pixels)


def names_with_metadata(folder: Path) -> None:
    """``plates/PLATE/WELL_COMPOUND.tif``."""
    for number, pixels in enumerate(_pixels(12, 70, 70)):
        path = folder / "plates" / f"P{number % 3}" / f"A{number:02d}_{COMPOUNDS[number % 4]}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, pixels.astype(np.uint8))


def plates_and_wells(folder: Path) -> None:
    """``plates/PLATE/WELL/site1.tif`` and ``plates/wells.csv``."""
    wells = [f"A{number:02d}" for number in range(1, 5)]
    for number, pixels in enumerate(_pixels(12, 70, 70)):
        path = folder / "plates" / f"P{number // 4}" / wells[number % 4] / "site1.tif"
        path.parent.mkdir(parents=True)
        tifffile.imwrite(path, pixels.astype(np.uint8))
    table = pd.DataFrame({"well": wells, "compound": COMPOUNDS})
    table.to_csv(folder / "plates" / "wells.csv", index=False)


def cell_painting(folder: Path) -> None:
    """``plates``: three plates in single-channel TIFFs, LoadData, plate maps, and one map as CSV."""
    root = write_plate(folder, plates=("BR00116991", "BR00116992", "BR00116993"))
    plate_map = pd.read_csv(root / "platemap" / "JUMP-Target-1.txt", sep="\t")
    plate_map.to_csv(root / "platemap.csv", index=False)


def cells_at_locations(folder: Path) -> None:
    """The same with ``Nuclei.csv``: two cells in each of larger fields."""
    root = write_plate(folder, enlarged=4)
    sites = pd.read_csv(root / "load_data.csv")[["Metadata_Plate", "Metadata_Well", "Metadata_Site"]]
    places = pd.DataFrame(
        {"Nuclei_Location_Center_X": [60.0, 100.0], "Nuclei_Location_Center_Y": [60.0, 110.0]}
    )
    sites.merge(places, how="cross").to_csv(root / "Nuclei.csv", index=False)


def stacks(folder: Path) -> None:
    """``stacks``: TIFFs of seven pages in class folders."""
    for number, pixels in enumerate(_pixels(4, 7, 70, 70)):
        path = folder / "stacks" / ("drugs" if number % 2 else "controls") / f"{number}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, pixels.astype(np.uint8))


def scans(folder: Path) -> None:
    """``scans``: ND2 files in class folders."""
    for number in range(4):
        path = folder / "scans" / ("drugs" if number % 2 else "controls") / f"{number}.nd2"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_nd2(path, PIXELS[number, :2] // 5, ("DAPI", "FITC"))


def three_colours(folder: Path) -> None:
    """``bbbc021``: cells in three colours and ``metadata.csv``, in the form of the real ones."""
    _image_set(folder / "bbbc021", channels=3)


def evidence_sets(folder: Path) -> None:
    """``DATA``: a few images in the form of each set of docs/evidence-plan.md."""
    for name, channels in (("malaria-slides", 1), ("redcells-types", 1), ("bbbc021-fields", 3)):
        _image_set(folder / "DATA" / name, channels=channels)


def _image_set(root: Path, *, channels: int) -> None:
    (root / "images").mkdir(parents=True)
    rows = []
    for number, (plate, well) in enumerate(_wells()):
        # a compound belongs to one week, a mechanism to all of them
        drug = f"drug {plate // 2} {well % 4 // 2}" if well % 2 else "DMSO"
        pixels = _pixels(1, 40, 40, channels)[0] // (1 + well % 2) + number % 50
        name = f"images/{number}.png"
        Image.fromarray(pixels.astype(np.uint8).squeeze()).save(root / name)
        rows.append(
            {
                "path": name,
                "Metadata_Plate": f"Week{plate // 2}_{plate}",
                "Metadata_Well": f"A{well:02d}",
                "Metadata_CellLine": "MCF7",
                "Metadata_Compound": drug,
                "Metadata_Concentration_uM": float(well % 2),
                "Metadata_MOA": f"moa {well % 4 // 2}" if well % 2 else "DMSO",
                "Metadata_ControlType": "trt" if well % 2 else "negcon",
            }
        )
    pd.DataFrame(rows).to_csv(root / "metadata.csv", index=False)


def _wells() -> Iterator[tuple[int, int]]:
    for plate in range(12):
        for well in range(8):
            yield plate, well


def checkout(folder: Path) -> None:
    """What commands of a checkout read: the benchmarks, the tools and their settings, and a copy of docs."""
    for name in ("benchmarks", "tests", "tools", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs", folder / "docs")


def repository(folder: Path) -> None:
    """A git repository."""
    subprocess.run(["git", "init", "--quiet", folder], check=True)


def timings(folder: Path) -> None:
    """``before.json``, ``after.json`` and ``history``: files of pytest-benchmark."""
    (folder / "history").mkdir()
    names = ["before.json", "after.json", *(f"history/{number}.json" for number in range(4))]
    for day, name in enumerate(names, start=1):
        benchmarks = [
            {
                "name": "test_training_step[unsupervised/aug_one_crop]",
                "fullname": "benchmarks/test_setups.py::test_training_step[unsupervised/aug_one_crop]",
                "stats": {"median": 0.01, "iqr": 0.0, "rounds": 3},
                "extra_info": {
                    "yardstick": 1,
                    "relative_time": 1.0,
                    "relative_time_interval": [0.98, 1.02],
                    "peak_host_memory_bytes": 1000,
                    "conditions": {"protocol": "corrected-1", "data_sha256": "aa"},
                },
            }
        ]
        content = {
            "benchmarks": benchmarks,
            "machine_info": {"cpu": {"brand_raw": "A", "count": 2}},
            "datetime": f"2026-01-0{day}T00:00:00+00:00",
        }
        (folder / name).write_text(json.dumps(content))


def copies(source: str, target: str) -> Callable[[Path], None]:
    """What copies the results of a run: a second run would take its time again."""

    def copy(folder: Path) -> None:
        shutil.copytree(folder / source, folder / target)

    return copy


def options(folder: Path) -> None:
    """``given.toml``: the options of docs/options.md for a small run beside the store."""
    (text,) = blocks_of(ROOT / "docs" / "options.md", "toml")
    for long, short in (
        *(("1000", "96"), ("epochs = 3", "epochs = 1"), ("= 64", "= 16")),
        *(("../store", "store"), ('"."', '"results"')),
    ):
        text = text.replace(long, short)
    quick = 'baselines = ["untrained_encoder"]\n', '\n[evaluation]\ntasks = ["classification"]\n'
    (folder / "given.toml").write_text(text.join(quick))


def space(folder: Path) -> None:
    """``space.toml``: the space of docs/search.md."""
    (text,) = blocks_of(ROOT / "docs" / "search.md", "toml")
    (folder / "space.toml").write_text(text)


def training_script(folder: Path) -> None:
    """``your_script.py``: the call of docs/training.md on the images of ``store``."""
    (block, *_) = blocks_of(ROOT / "docs" / "training.md", "python")
    lead = """
import numpy as np
from morphobench import ImageStore
store = ImageStore.open("store")
rows, held_out = np.arange(32), np.arange(32, 48)
"""
    few = block.replace("epochs=50", "epochs=1, batch_size=16")
    (folder / "your_script.py").write_text(lead + few)
