"""Embeddings: made in batches without changing the encoder, written and read with their origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from morphobench.embeddings import embed, read_embeddings, write_embeddings
from morphobench.errors import InputError
from morphobench.measure import run_isolated
from morphobench.training import ImageRows


class Small(nn.Module):
    """An encoder whose answer depends on its mode and on the whole layout of its input."""

    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(channels, 3, 3), nn.BatchNorm2d(3), nn.Dropout(0.5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images).flatten(1)


class _Mean(nn.Module):
    """An encoder whose 40 features are the mean of all pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(1, 2, 3))[:, None].expand(-1, 40)


class InThrees(Small):
    """One that asks for small batches."""

    embed_batch_size = 3


@pytest.fixture
def encoder() -> Small:
    torch.manual_seed(0)
    return Small().train()


@pytest.fixture
def images() -> Any:
    return np.random.default_rng(0).integers(0, 256, (7, 2, 6, 5)).astype(np.uint8)


@pytest.mark.parametrize("batch_size", [None, 1, 3, 7, 100])
def test_embed_is_one_image_at_a_time(encoder: Small, images: Any, batch_size: int | None) -> None:
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    embeddings = embed(encoder, images, batch_size=batch_size)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (7, 3 * 4 * 3)
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    encoder.eval()
    with torch.no_grad():
        one_by_one = [encoder(torch.from_numpy(image[None]).float() / 255)[0].numpy() for image in images]
    np.testing.assert_allclose(embeddings, one_by_one, rtol=1e-5, atol=1e-6)
    embed(encoder, images)
    assert not encoder.training


def test_an_encoder_says_how_many_images_it_takes_at_a_time(images: Any) -> None:
    seen: list[int] = []
    for one, batch_size in ((Small(), None), (InThrees(), None), (InThrees(), 4)):
        one.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
        embed(one, images, batch_size=batch_size)
    assert seen == [7, 3, 3, 1, 4, 3]


def test_embed_reads_memory_maps_and_rows(encoder: Small, images: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    expected = embed(encoder, images)
    np.testing.assert_array_equal(embed(encoder, mapped), expected)
    rows = np.array([6, 0, 3])
    np.testing.assert_allclose(embed(encoder, ImageRows(mapped, rows)), expected[rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        embed(encoder, images[:, :, ::-1]), embed(encoder, images[:, :, ::-1].copy())
    )


def test_embed_of_no_image_knows_its_width(encoder: Small) -> None:
    assert embed(encoder, np.zeros((0, 2, 6, 5), np.uint8)).shape == (0, 36)


def test_embed_refuses_other_arrays(encoder: Small, images: Any) -> None:
    with pytest.raises(InputError, match=r"images must have shape \(N, C, H, W\), got \(7, 6, 5\)"):
        embed(encoder, images[:, 0])
    with pytest.raises(InputError, match=r"got \(7, 6, 5, 2\), which has its channels last"):
        embed(encoder, np.moveaxis(images, 1, -1))
    with pytest.raises(TypeError, match="images must be uint8, got float64"):
        embed(encoder, images / 255)
    with pytest.raises(InputError, match="batch_size must be at least 1, got 0"):
        embed(encoder, images, batch_size=0)


@pytest.fixture
def table() -> tuple[Any, pd.DataFrame]:
    embeddings = np.random.default_rng(1).normal(size=(4, 12)).astype(np.float32)
    metadata = pd.DataFrame(
        {
            "Metadata_Plate": ["p1", "p1", "p2", None],
            "Metadata_Well": ["A01", "A02", "A01", "B07"],
            "Metadata_Site": [1, 2, 3, 4],
            "Metadata_Concentration_uM": [0.5, np.nan, 1.0, 2.0],
        },
        index=[3, 9, 11, 40],
    )
    return embeddings, metadata


def test_parquet_round_trip(table: tuple[Any, pd.DataFrame], tmp_path: Path) -> None:
    path = tmp_path / "new" / "set.parquet"
    provenance = {"protocol": "corrected-1", "weights_sha256": "ab", "seeds": [1, 2], "nested": {"x": None}}
    write_embeddings(path, *table, provenance=provenance)
    embeddings, metadata, origin = read_embeddings(path)
    np.testing.assert_array_equal(embeddings, table[0])
    assert embeddings.flags.c_contiguous
    pd.testing.assert_frame_equal(metadata, table[1].reset_index(drop=True))
    assert provenance.items() <= origin.items()
    assert origin["torch_version"] == torch.__version__
    assert [file.name for file in path.parent.iterdir()] == ["set.parquet"]


def test_embeddings_of_several_blocks_come_back_without_a_copy_in_memory(tmp_path: Path) -> None:
    rows, features = 65_536, 2048
    found = run_isolated(
        "tests.support.embedding_memory_targets:written_and_read",
        {"folder": tmp_path, "rows": rows, "features": features},
    )
    above_bytes, same = found.value
    assert same
    assert above_bytes < 0.9 * 4 * rows * features
    assert pq.ParquetFile(tmp_path / "e.parquet").num_row_groups == 8


def test_blocks_do_not_change_the_types_of_columns(tmp_path: Path) -> None:
    rows = 10_000
    numbers = np.arange(rows)
    frame = pd.DataFrame({"Metadata_Dose": np.where(numbers < 5000, np.nan, numbers), "Metadata_Well": "A01"})
    frame["f"] = pd.Series(numbers, dtype="Int64").mask(numbers % 7 == 0)
    frame["Metadata_Site"] = pd.Series(3, index=frame.index, dtype="Int64").mask(numbers < 5000)
    frame.to_parquet(tmp_path / "set.parquet", row_group_size=3000)
    values, metadata, _ = read_embeddings(tmp_path / "set.parquet")
    np.testing.assert_array_equal(
        values[:, 0], np.where(numbers % 7 == 0, np.nan, numbers).astype(np.float32)
    )
    expected = pq.read_table(tmp_path / "set.parquet").to_pandas(ignore_metadata=True).drop(columns="f")
    pd.testing.assert_frame_equal(metadata, expected)


@pytest.mark.parametrize("rows", [0, 3])
def test_files_of_features_alone(rows: int, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(rows, dtype=float), "b": np.ones(rows)})
    frame.to_parquet(tmp_path / "set.parquet")
    values, metadata, _ = read_embeddings(tmp_path / "set.parquet")
    np.testing.assert_array_equal(values, frame.to_numpy(np.float32))
    assert metadata.shape == (rows, 0)


def test_embeddings_beyond_memory_lie_in_a_folder(encoder: Small, images: Any, tmp_path: Path) -> None:
    many = np.broadcast_to(images[:1], (2_000_000, *images.shape[1:]))
    found = embed(_Mean(), many, batch_size=65_536, folder=tmp_path / "new")
    assert isinstance(found.base, np.memmap)
    assert found.shape == (2_000_000, 40)
    np.testing.assert_allclose(found[-1], images[0].mean() / 255, rtol=1e-5)
    assert list((tmp_path / "new").iterdir()) == []  # it has no name, so nothing is left of it
    small = embed(_Mean(), images, folder=tmp_path / "unused")
    assert not (tmp_path / "unused").exists()
    np.testing.assert_allclose(small[0], found[0])


def test_columns_are_metadata_then_features_without_index(
    table: tuple[Any, pd.DataFrame], tmp_path: Path
) -> None:
    path = tmp_path / "set.parquet"
    write_embeddings(path, *table)
    schema = pq.read_schema(path)
    assert schema.names == [*table[1].columns, *(f"emb_{index:04d}" for index in range(12))]
    assert set(map(str, schema.types[4:])) == {"float"}
    assert json.loads(schema.metadata[b"morphobench"])["format"] == "morphobench-embeddings-1"
    frame = pd.read_parquet(path)  # as anyone would open it
    assert frame.columns.tolist() == schema.names
    assert frame.index.tolist() == [0, 1, 2, 3]


def test_files_of_others(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "Metadata_Well": ["A01", "A02"],
            "Cells_AreaShape_Area": [3, 4],
            "Nuclei_Texture": [0.5, 0.25],
            "Metadata_Site": [1, 2],
            "ImageFile": ["a.png", "b.png"],
            "Keep": [True, False],
        },
        index=[7, 8],
    )
    frame.to_parquet(tmp_path / "cellprofiler.parquet")
    frame.to_csv(tmp_path / "cellprofiler.csv")
    for name in ("cellprofiler.parquet", "cellprofiler.csv"):
        embeddings, metadata, origin = read_embeddings(tmp_path / name)
        np.testing.assert_array_equal(embeddings, np.array([[3, 0.5], [4, 0.25]], np.float32))
        assert metadata.columns.tolist() == ["Metadata_Well", "Metadata_Site", "ImageFile", "Keep"]
        assert origin == {}


def test_own_features_win_over_other_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"score": [1.0], "emb_0000": [2.0], "emb_0001": [3.0]})
    frame.to_parquet(tmp_path / "set.parquet")
    embeddings, metadata, _ = read_embeddings(tmp_path / "set.parquet")
    assert (embeddings.tolist(), metadata.columns.tolist()) == ([[2.0, 3.0]], ["score"])


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no parquet")
    pd.DataFrame({"Metadata_Well": ["A01"]}).to_parquet(tmp_path / "bare.parquet")
    with pytest.raises(InputError, match=r"absent\.parquet must be a file of embeddings"):
        read_embeddings(tmp_path / "absent.parquet")
    with pytest.raises(InputError, match=r"text\.parquet must be Parquet, CSV or \.h5ad"):
        read_embeddings(tmp_path / "text.parquet")
    with pytest.raises(InputError, match=r"bare\.parquet must have numeric .* Metadata_Well"):
        read_embeddings(tmp_path / "bare.parquet")


def test_unfit_tables_are_refused(table: tuple[Any, pd.DataFrame], tmp_path: Path) -> None:
    embeddings, metadata = table
    path = tmp_path / "set.parquet"
    with pytest.raises(TypeError, match="embeddings must be float32, got float64"):
        write_embeddings(path, embeddings.astype(np.float64), metadata)
    with pytest.raises(InputError, match=r"embeddings must have shape \(4, D\), one per metadata row"):
        write_embeddings(path, embeddings[:3], metadata)
    with pytest.raises(InputError, match=r"columns named Metadata_\.\.\., got Well"):
        write_embeddings(path, embeddings, metadata.rename(columns={"Metadata_Well": "Well"}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:The 'future.infer_string' option:DeprecationWarning")
def test_anndata_round_trip(table: tuple[Any, pd.DataFrame], tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata", reason="the extra anndata is not installed")
    path = tmp_path / "set.h5ad"
    write_embeddings(path, *table, provenance={"protocol": "corrected-1", "seed": 3, "versions": {"a": 1}})
    opened = anndata.read_h5ad(path)
    assert opened.shape == (4, 12)
    assert opened.var_names[0] == "emb_0000"
    assert opened.obs["Metadata_Well"].tolist() == ["A01", "A02", "A01", "B07"]
    facts = opened.uns["provenance"]
    assert (facts["protocol"], facts["seed"], facts["versions"]) == ("corrected-1", 3, '{"a": 1}')
    embeddings, metadata, origin = read_embeddings(path)
    np.testing.assert_array_equal(embeddings, table[0])
    pd.testing.assert_frame_equal(metadata, table[1].reset_index(drop=True), check_dtype=False)
    assert origin["protocol"] == "corrected-1"


def test_anndata_without_the_extra_says_how(table: tuple[Any, pd.DataFrame], tmp_path: Path) -> None:
    try:
        import anndata  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"pip install 'morphobench\[anndata\]'"):
            write_embeddings(tmp_path / "set.h5ad", *table)
    else:
        pytest.skip("the extra anndata is installed")
