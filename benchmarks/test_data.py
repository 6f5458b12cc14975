"""Images into a store beside other ways of reading them, opening a store, embedding, and starting up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.beside import beside
from benchmarks.plain_training import encoder, fill
from morphobench.data import ImageStore, ingest
from morphobench.embeddings import embed
from morphobench.measure import interleaved
from morphobench.models import Encoder

SIZE_PX = 64


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same grey images as folders of PNG and of TIFF files, in two classes."""
    base = tmp_path_factory.mktemp("files")
    for kind in ("png", "tif"):
        for label in ("controls", "drugs"):
            (base / kind / label).mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (256, SIZE_PX, SIZE_PX), dtype=np.uint8)
    for number, image in enumerate(images):
        name = f"{('controls', 'drugs')[number % 2]}/{number:04d}"
        Image.fromarray(image).save(base / "png" / f"{name}.png")
        tifffile.imwrite(base / "tif" / f"{name}.tif", image)
    return {kind: base / kind for kind in ("png", "tif")}


def _grey(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("L")


def image_folder(folder: Path) -> np.ndarray:
    """torchvision's ImageFolder, image by image: uint8 (N, H, W) in the order of its paths."""
    dataset = ImageFolder(str(folder), transform=transforms.PILToTensor(), loader=_grey)
    return torch.stack([image for image, _ in dataset])[:, 0].numpy()


def tiff_loop(folder: Path) -> np.ndarray:
    """A loop of tifffile.imread."""
    return np.stack([tifffile.imread(path) for path in sorted(folder.rglob("*.tif"))])


@pytest.mark.benchmark(group="ingest")
@pytest.mark.parametrize(
    ("kind", "peer", "peer_name"),
    [("png", image_folder, "torchvision ImageFolder"), ("tif", tiff_loop, "tifffile.imread in a loop")],
    ids=["png", "tif"],
)
def test_ingest(kind, peer, peer_name, folders, tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    """The peer only decodes; ours also checks, hashes and writes a store."""
    source, count = folders[kind], iter(range(10_000))

    def ours() -> ImageStore:
        return ingest(source, tmp_path / f"store{next(count)}", size_px=SIZE_PX)

    store = benchmark.pedantic(ours, rounds=2)
    read = {tuple(image.ravel()[:64]) for image in peer(source)}
    assert {tuple(image[0].ravel()[:64]) for image in store.images} == read
    if benchmark.disabled:
        return
    times = interleaved({"ours": ours, "peer": lambda: peer(source)}, rounds=7)
    images_per_s = len(store) / times.median_ns("ours") * 1e9
    peer_per_s = len(store) / times.median_ns("peer") * 1e9
    extra = beside(times, ours="ours", peer="peer", peer_name=peer_name)
    benchmark.extra_info.update(extra, images_per_s=images_per_s, peer_images_per_s=peer_per_s)


@pytest.mark.benchmark(group="store")
def test_opening_a_store(cells: ImageStore, tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    """Opening maps the pixels and reads the metadata; the peer maps one .npy file and reads no metadata."""
    np.save(tmp_path / "images.npy", cells.images)

    def peer() -> np.ndarray:
        return np.load(tmp_path / "images.npy", mmap_mode="r")

    opened = benchmark(lambda: ImageStore.open(cells.path))
    assert np.array_equal(opened.images[7], peer()[7])
    assert len(opened) == len(cells)
    if benchmark.disabled:
        return
    times = interleaved({"ours": lambda: ImageStore.open(cells.path), "peer": peer}, rounds=20)
    benchmark.extra_info.update(
        beside(times, ours="ours", peer="peer", peer_name="numpy.load, memory-mapped, no metadata")
    )


@pytest.mark.benchmark(group="inference")
def test_embedding(cells: ImageStore, benchmark: BenchmarkFixture) -> None:
    """Embeddings of uint8 images beside plain PyTorch on float batches of 256."""
    images = np.array(cells.images[: 512 if benchmark.enabled else 32])
    network = Encoder().eval()
    plain = torch.nn.Sequential(*encoder(), torch.nn.Flatten()).eval()
    fill([plain], [value.detach().numpy() for value in network.parameters()])

    def peer() -> np.ndarray:
        with torch.inference_mode():
            batches = torch.from_numpy(images).split(256)
            return torch.cat([plain(batch.float() / 255) for batch in batches]).numpy()

    found = benchmark.pedantic(embed, args=(network, images), rounds=3, warmup_rounds=1)
    np.testing.assert_allclose(found, peer(), rtol=1e-4, atol=1e-5)
    if benchmark.disabled:
        return
    times = interleaved({"ours": lambda: embed(network, images), "peer": peer}, rounds=3)
    extra = beside(times, ours="ours", peer="peer", peer_name="PyTorch modules, batches of 256")
    benchmark.extra_info.update(extra, images_per_s=len(images) / times.median_ns("ours") * 1e9)


@pytest.mark.benchmark(group="start-up")
def test_start_up_of_the_command_line(benchmark: BenchmarkFixture) -> None:
    """``morphobench --version`` beside starting Python and importing numpy."""

    def run(*words: str) -> str:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, check=True, env=environment
        )
        return done.stdout

    def ours() -> str:
        return run("-m", "morphobench", "--version")

    assert benchmark.pedantic(ours, rounds=3).startswith("morphobench ")
    if benchmark.disabled:
        return
    times = interleaved({"ours": ours, "peer": lambda: run("-c", "import numpy")}, rounds=7)
    benchmark.extra_info.update(beside(times, ours="ours", peer="peer", peer_name="python -c 'import numpy'"))
