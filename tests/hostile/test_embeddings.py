"""Embeddings of strangers: garbled files, numbers that are none, odd columns; named, never half evaluated."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from morphobench._util.extras import load_extra
from morphobench.embeddings import read_embeddings, write_embeddings
from morphobench.errors import CheckError, InputError
from tests.hostile.conftest import WHOLE

IMAGES = 48
FLIPS = 25 if WHOLE else 3
FEATURES = [f"emb_{number:04d}" for number in range(6)]
LISTS = pd.Series([["trt"]] * IMAGES)
EVALUATE = ("--task", "similarity", "--profile", "smoke")


def table() -> pd.DataFrame:
    """Embeddings whose drugs differ, on four plates."""
    number = np.arange(IMAGES)
    drug = number % 2 == 1
    features = np.random.default_rng(0).normal(size=(IMAGES, 6)) + drug[:, None]
    described = pd.DataFrame(
        {
            "Metadata_Plate": [f"P{n // 2 % 4}" for n in number],
            "Metadata_Well": [f"A{n:02d}" for n in number],
            "Metadata_CellLine": "one",
            "Metadata_Compound": np.where(drug, np.where(number % 4 == 1, "d1", "d2"), "DMSO"),
            "Metadata_MOA": np.where(drug, "same", ""),
            "Metadata_ControlType": np.where(drug, "trt", "negcon"),
        }
    )
    return described.join(pd.DataFrame(features.astype(np.float32), columns=FEATURES))


def _set(column: str, rows: int, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        changed = frame[column].astype(object if isinstance(value, str | list | type(None)) else "float64")
        changed.iloc[:rows] = value
        return frame.assign(**{column: changed})

    return change


REFUSED: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "one NaN": _set("emb_0002", 1, np.nan),
    "a column of NaN": _set("emb_0002", IMAGES, np.nan),
    "infinite": _set("emb_0000", 1, np.inf),
    "minus infinite": _set("emb_0005", 3, -np.inf),
    "too large for float32": _set("emb_0000", 1, 1e300),
    "no rows": lambda t: t[:0],
    "no features": lambda t: t.drop(columns=FEATURES),
    "only features": lambda t: t[FEATURES],
    "no classes": lambda t: t.drop(columns="Metadata_ControlType").assign(Metadata_Compound="x"),
    "unknown control type": _set("Metadata_ControlType", 3, "maybe"),
    "unknown split": lambda t: t.assign(Metadata_Split="dev"),
    "split of numbers": lambda t: t.assign(Metadata_Split=1),
    "empty features": lambda t: t.assign(emb_0001=pd.array([None] * IMAGES, dtype="Float32")),
    "list as control": lambda t: t.assign(Metadata_ControlType=LISTS),
    "one image": lambda t: t[:1],
}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("name", REFUSED)
def test_tables_that_cannot_be_evaluated(
    tmp_path: Path, name: str, ending: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    path, changed = tmp_path / f"e.{ending}", REFUSED[name](table())
    changed.to_csv(path, index=False) if ending == "csv" else changed.to_parquet(path)
    assert command("evaluate", path, *EVALUATE, names=(str(path),)) == "refused"
    case("refused")


TAKEN: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "lists as wells": lambda t: t.assign(Metadata_Well=LISTS),
    "missing control type": _set("Metadata_ControlType", 3, None),
    "only controls": lambda t: t.assign(Metadata_ControlType="negcon"),
    "only drugs": lambda t: t.assign(Metadata_ControlType="trt", Metadata_Compound="d1"),
    "all train": lambda t: t.assign(Metadata_Split="train"),
    "one plate": lambda t: t.assign(Metadata_Plate="P"),
    "no plate": lambda t: t.drop(columns="Metadata_Plate"),
    "escape in a compound": lambda t: t.replace({"Metadata_Compound": {"d1": "\x1b[31mred\x07"}}),
    "numbers as wells": lambda t: t.assign(Metadata_Well=np.arange(IMAGES)),
    "missing cell line": _set("Metadata_CellLine", 3, None),
    "missing compound": _set("Metadata_Compound", 3, None),
    "one row far away": _set("emb_0001", 1, 1e30),
    "constant": lambda t: t.assign(**{f"emb_{n:04d}": 1.0 for n in range(6)}),
    "all zero": lambda t: t.assign(**{f"emb_{n:04d}": 0.0 for n in range(6)}),
    "tiny": lambda t: t.assign(**{f"emb_{n:04d}": 1e-44 for n in range(6)}),
    "rows twice": lambda t: pd.concat([t, t], ignore_index=True),
    "one feature": lambda t: t.drop(columns=[f"emb_{n:04d}" for n in range(1, 6)]),
    "whole numbers": lambda t: t.assign(emb_0000=np.arange(IMAGES)),
    "huge whole numbers": lambda t: t.assign(emb_0000=2**62),
    "doses of text": lambda t: t.assign(Metadata_Concentration_uM="high"),
    "names of numbers": lambda t: t.rename(columns={"Metadata_Well": "7"}),
}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("name", TAKEN)
def test_odd_tables_are_evaluated_or_refused(
    tmp_path: Path,
    name: str,
    ending: str,
    capsys: pytest.CaptureFixture[str],
    command: Callable[..., str],
    case: Callable[[str], None],
) -> None:
    path, changed = tmp_path / f"e.{ending}", TAKEN[name](table())
    changed.to_csv(path, index=False) if ending == "csv" else changed.to_parquet(path)
    made = tmp_path / "metrics.json"
    got = command("evaluate", path, *EVALUATE, "--json", made, names=(str(path),))
    assert (got == "right") == made.exists()
    if made.exists():
        assert "NaN" not in made.read_text()
    case(got)


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(share * len(data))]


GARBLED: dict[str, Callable[[bytes], bytes]] = {
    **{f"cut at {share}": _cut(share) for share in (0.0, 0.01, 0.5, 0.9, 0.999)},
    "doubled": lambda data: data + data[:-1],
    "turned round": lambda data: data[::-1],
    "zeros": lambda data: b"\0" * len(data),
    "magic": lambda _: b"PAR1PAR1",
    "page": lambda _: b"<html>404</html>",
    "pickle": lambda _: b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "hdf5": lambda _: b"\x89HDF\r\n\x1a\n" + b"\0" * 100,
}


@pytest.mark.filterwarnings("ignore:The 'future.infer_string' option:DeprecationWarning")
@pytest.mark.parametrize("ending", ["parquet", "h5ad"])
@pytest.mark.parametrize("name", GARBLED)
def test_garbled_files(tmp_path: Path, name: str, ending: str, case: Callable[[str], None]) -> None:
    path, frame = tmp_path / f"e.{ending}", table()
    if ending == "h5ad":
        pytest.importorskip("anndata", reason="the extra anndata is not installed")
    write_embeddings(path, frame[FEATURES].to_numpy(np.float32), frame.drop(columns=FEATURES))
    path.write_bytes(GARBLED[name](path.read_bytes()))
    if (name, ending) == ("doubled", "h5ad"):  # HDF5 knows its own end, and what follows is not looked at
        found, _, _ = read_embeddings(path)
        np.testing.assert_array_equal(found, frame[FEATURES].to_numpy(np.float32))
        case("right")
        return
    with pytest.raises(InputError, match=rf"e\.{ending} must be"):
        read_embeddings(path)
    case("refused")


@pytest.mark.parametrize("seed", range(FLIPS))
def test_changed_bytes(tmp_path: Path, seed: int, case: Callable[[str], None]) -> None:
    path = tmp_path / "e.parquet"
    table().to_parquet(path)
    data, random = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for position in random.integers(0, len(data), 1 + seed % 8):
        data[position] ^= int(random.integers(1, 256))
    path.write_bytes(data)
    try:
        embeddings, described, _ = read_embeddings(path)
    except InputError as error:
        said = str(error)
        assert str(path) in said
        case("refused")
        return
    assert len(embeddings) == len(described)
    case("right")


CSV: dict[str, bytes] = {
    "empty": b"",
    "a line break": b"\n",
    "heads only": b"Metadata_Well,emb_0000\n",
    "one column of text": b"a\nb\n",
    "latin-1": "Metadata_Compound,emb_0000\nKöln,1\n".encode("latin-1"),
    "utf-16": "emb_0000\n1\n".encode("utf-16"),
    "nul": b"emb_0000\n\0\n",
    "ragged": b"Metadata_Well,emb_0000\nA,1,2,3\nB\n",
    "open quote": b'Metadata_Well,emb_0000\n"A,1\n',
    "binary": bytes(range(256)) * 10,
    "text as feature": b"Metadata_Well,emb_0000\nA,one\n",
}


@pytest.mark.parametrize("name", CSV)
def test_csv_that_is_none(
    tmp_path: Path, name: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    path = tmp_path / "e.csv"
    path.write_bytes(CSV[name])
    assert command("evaluate", path, *EVALUATE, names=(str(path),)) == "refused"
    case("refused")


PROVENANCE = (
    "",
    "null",
    "[]",
    "5",
    "{",
    "[" * 100_000,
    '{"protocol": []}',
    '{"protocol": "none-9"}',
    '{"a": NaN}',
)


@pytest.mark.parametrize("text", PROVENANCE, ids=range(len(PROVENANCE)))
def test_provenance_that_is_none(
    tmp_path: Path, text: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    path, arrow = tmp_path / "e.parquet", pa.Table.from_pandas(table())
    pq.write_table(arrow.replace_schema_metadata({"morphobench": text}), path)
    got = command("evaluate", path, *EVALUATE, names=(str(path),))
    assert got in ("right", "refused")
    case(got)


def test_columns_of_one_name(tmp_path: Path, case: Callable[[str], None]) -> None:
    columns = [pa.array([1.0, 2.0])] * 2
    pq.write_table(pa.table(columns, names=["emb_0000", "emb_0000"]), tmp_path / "e.parquet")
    with pytest.raises(InputError, match=r"e\.parquet"):
        read_embeddings(tmp_path / "e.parquet")
    case("refused")


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "gone", "loop"])
@pytest.mark.parametrize("ending", ["parquet", "csv", "h5ad"])
def test_places(
    tmp_path: Path, kind: str, ending: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    path = tmp_path / f"e.{ending}"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind != "gone":
        path.symlink_to("/dev/zero" if kind == "device" else path)
    assert command("evaluate", path, *EVALUATE, names=(str(path),)) == "refused"
    case("refused")


@pytest.mark.filterwarnings("ignore:The 'future.infer_string' option:DeprecationWarning")
@pytest.mark.parametrize("kind", ["no X", "X of text", "NaN", "sparse NaN", "no rows"])
def test_anndata_that_does_not_fit(
    tmp_path: Path, kind: str, command: Callable[..., str], case: Callable[[str], None]
) -> None:
    pytest.importorskip("anndata", reason="the extra anndata is not installed")
    anndata, path, frame = load_extra("anndata", extra="anndata"), tmp_path / "e.h5ad", table()
    features: Any = frame[FEATURES].to_numpy(np.float32, copy=True)
    rows = frame.drop(columns=FEATURES).astype(object)
    rows = rows.set_axis(pd.Index([f"{number}" for number in range(len(rows))], dtype=object))
    if "NaN" in kind:
        features[3, 3] = np.nan
    if kind == "sparse NaN":
        from scipy import sparse

        features = sparse.csr_matrix(features)
    with pd.option_context("future.infer_string", False):  # AnnData cannot write pandas' own type of text
        made = anndata.AnnData(X=None if kind == "no X" else features, obs=rows)
        if kind == "X of text":
            made.X = np.full(features.shape, "x", dtype=object)
        (made[:0] if kind == "no rows" else made).write_h5ad(path)
    assert command("evaluate", path, *EVALUATE, names=(str(path),)) == "refused"
    case("refused")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ending", ["parquet", "h5ad"])
def test_embeddings_that_are_not_finite_are_never_written(
    tmp_path: Path, value: float, ending: str, case: Callable[[str], None]
) -> None:
    embeddings = np.ones((3, 4), np.float32)
    embeddings[1, 2] = value
    with pytest.raises(CheckError, match="embeddings must be finite, got NaN or infinity for 1 of 3 images"):
        write_embeddings(tmp_path / f"e.{ending}", embeddings, pd.DataFrame({"Metadata_Well": list("abc")}))
    assert not list(tmp_path.iterdir())
    case("refused")
