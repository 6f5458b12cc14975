"""Decoding: every supported kind of file to (C, H, W), and everything else refused by name."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from morphobench.data.ingest import limits
from morphobench.data.ingest.decode import decode
from morphobench.errors import InputError

GREY = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
DEEP = np.random.default_rng(2).integers(0, 65536, (4, 20, 30), dtype=np.uint16)


def _first(array: NDArray[Any]) -> NDArray[Any]:
    return np.moveaxis(array, -1, 0)


def test_png(tmp_path: Path) -> None:
    for mode, array, wanted in [
        ("L", GREY, GREY[None]),
        ("RGB", COLOUR, _first(COLOUR)),
        ("RGBA", np.dstack([COLOUR, GREY]), _first(COLOUR)),
        ("LA", np.dstack([GREY, GREY]), GREY[None]),
        ("I;16", DEEP[0], DEEP[:1]),
    ]:
        path = tmp_path / f"{mode.replace(';', '')}.png"
        Image.fromarray(array).save(path)
        found = decode(path)
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == wanted.dtype
        assert found.flags.c_contiguous


def test_one_bit_and_palette_png(tmp_path: Path) -> None:
    Image.fromarray(GREY > 127).save(tmp_path / "bit.png")
    np.testing.assert_array_equal(decode(tmp_path / "bit.png"), np.where(GREY > 127, 255, 0)[None])
    few = Image.fromarray(COLOUR // 64 * 64).quantize(64)
    few.save(tmp_path / "colours.png")
    np.testing.assert_array_equal(decode(tmp_path / "colours.png"), _first(np.asarray(few.convert("RGB"))))
    greys = Image.fromarray(GREY // 32).convert("P")
    greys.putpalette([value for grey in range(0, 256, 32) for value in (grey, grey, grey)])
    greys.save(tmp_path / "greys.png")
    np.testing.assert_array_equal(decode(tmp_path / "greys.png"), (GREY // 32 * 32)[None])


def test_jpeg(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.jpg", quality=95)
    Image.fromarray(COLOUR).save(tmp_path / "colour.JPEG", quality=95)
    np.testing.assert_array_equal(
        decode(tmp_path / "grey.jpg"), np.asarray(Image.open(tmp_path / "grey.jpg"))[None]
    )
    assert decode(tmp_path / "colour.JPEG").shape == (3, 20, 30)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_pages_planes_and_samples(
    tmp_path: Path, dtype: type, byteorder: Literal["<", ">"], compression: str | None
) -> None:
    array: NDArray[Any] = DEEP.astype(dtype)
    how: dict[str, Any] = {"byteorder": byteorder, "compression": compression}
    tifffile.imwrite(tmp_path / "pages.tif", array, photometric="minisblack", **how)
    with tifffile.TiffWriter(tmp_path / "separate.tif", byteorder=byteorder) as writer:
        for page in array:
            writer.write(page, contiguous=False, compression=compression)
    tifffile.imwrite(
        tmp_path / "imagej.tif", array, imagej=True, metadata={"axes": "CYX"}, compression=compression
    )
    tifffile.imwrite(tmp_path / "last.tif", np.moveaxis(array, 0, -1), photometric="minisblack", **how)
    tifffile.imwrite(tmp_path / "ome.ome.tif", array[None], metadata={"axes": "ZCYX"}, **how)
    tifffile.imwrite(tmp_path / "planes.tif", array, photometric="minisblack", planarconfig="separate", **how)
    for name in ("pages", "separate", "imagej", "last", "planes", "ome.ome"):
        found = decode(tmp_path / f"{name}.tif")
        np.testing.assert_array_equal(found, array, err_msg=name)
        assert found.dtype == np.dtype(dtype), name
    rgb = np.moveaxis(array[:3], 0, -1)
    tifffile.imwrite(tmp_path / "rgb.tif", rgb, photometric="rgb", **how)
    np.testing.assert_array_equal(decode(tmp_path / "rgb.tif"), array[:3])
    rgba = np.moveaxis(array, 0, -1)
    tifffile.imwrite(tmp_path / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"], **how)
    np.testing.assert_array_equal(decode(tmp_path / "rgba.tif"), array[:3])
    tifffile.imwrite(tmp_path / "grey.tif", array[0], **how)
    np.testing.assert_array_equal(decode(tmp_path / "grey.tif"), array[:1])
    tifffile.imwrite(tmp_path / "inverted.tif", array[0], photometric="miniswhite", **how)
    np.testing.assert_array_equal(decode(tmp_path / "inverted.tif"), np.iinfo(dtype).max - array[:1])


def test_lzw_tiff_is_read_without_further_packages(tmp_path: Path) -> None:
    pages = [Image.fromarray(page) for page in DEEP]
    pages[0].save(tmp_path / "pages.tif", compression="tiff_lzw", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(decode(tmp_path / "pages.tif"), DEEP)
    Image.fromarray(COLOUR).save(tmp_path / "rgb.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(decode(tmp_path / "rgb.tif"), _first(COLOUR))


def test_one_bit_and_palette_tiff(tmp_path: Path) -> None:
    Image.fromarray(GREY > 127).save(tmp_path / "bit.tif")
    np.testing.assert_array_equal(decode(tmp_path / "bit.tif"), np.where(GREY > 127, 255, 0)[None])
    few = Image.fromarray(COLOUR).quantize(64)
    few.save(tmp_path / "colours.tif")
    np.testing.assert_array_equal(decode(tmp_path / "colours.tif"), _first(np.asarray(few.convert("RGB"))))


def test_unsuitable_values_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "float.tif", DEEP.astype(np.float32), photometric="minisblack")
    tifffile.imwrite(tmp_path / "signed.tif", DEEP.astype(np.int16), photometric="minisblack")
    tifffile.imwrite(tmp_path / "hyper.tif", np.zeros((2, 3, 20, 30), np.uint8), photometric="minisblack")
    tifffile.imwrite(tmp_path / "many.tif", np.zeros((65, 20, 30), np.uint8), photometric="minisblack")
    Image.new("CMYK", (8, 8)).save(tmp_path / "cmyk.jpg")
    for name, message in [
        ("float.tif", "8- or 16-bit unsigned values, got float32"),
        ("signed.tif", "got int16"),
        ("hyper.tif", "channels, height and width, got"),
        ("many.tif", "1 to 64 channels"),
        ("cmyk.jpg", "grey or RGB, got mode CMYK"),
    ]:
        with pytest.raises(InputError, match=f"{name}: .*{message}"):
            decode(tmp_path / name)


def _sixteen_bit_colour_png(path: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 4, 4, 16, 2, 0, 0, 0)
    path.write_bytes(header + bytes(40))


def test_damaged_and_foreign_files_are_refused_by_name(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "whole.png")
    Image.fromarray(COLOUR).save(tmp_path / "whole.jpg")
    tifffile.imwrite(tmp_path / "whole.tif", DEEP, photometric="minisblack")
    tifffile.imwrite(tmp_path / "packed.tif", DEEP, photometric="minisblack", compression="zlib")
    for name in ("whole.png", "whole.jpg", "whole.tif", "packed.tif"):
        data = (tmp_path / name).read_bytes()
        for cut in (len(data) // 2, 40, 9):
            broken = tmp_path / f"cut{cut}_{name}"
            broken.write_bytes(data[:cut])
            with pytest.raises(InputError, match=broken.name):
                decode(broken)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "folder.png").mkdir()
    _sixteen_bit_colour_png(tmp_path / "deep.png")
    Image.fromarray(GREY).save(tmp_path / "bitmap.bmp")
    for name, message in [
        ("empty.png", "the file must hold an image, got an empty file"),
        ("text.png", "the file must be JPEG, PNG or TIFF"),
        ("folder.png", "must be a regular file, got a folder"),
        ("deep.png", ".*16-bit colour"),
        ("bitmap.bmp", "the file must be JPEG, PNG or TIFF"),
        ("nowhere.png", "must be a readable file, got: No such file"),
    ]:
        with pytest.raises(InputError, match=rf"{name}:? {message}"):
            decode(tmp_path / name)


def test_pictures_beyond_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(GREY).save(tmp_path / "large.png")
    tifffile.imwrite(tmp_path / "large.tif", GREY)
    monkeypatch.setattr(limits, "MAX_PIXELS", 599)
    for name in ("large.png", "large.tif"):
        with pytest.raises(InputError, match="at most 599 pixels, got 20 x 30"):
            decode(tmp_path / name)


def test_real_tiffs_are_the_originals_of_the_pngs(bbbc021: Path) -> None:
    found = decode(sorted((bbbc021 / "tiff16").glob("*.tif"))[0])
    assert found.shape == (3, 68, 68)
    assert found.dtype == np.uint16
    png = decode(sorted((bbbc021 / "images").glob("*.png"))[0])
    assert png.shape == (3, 68, 68)
    assert png.dtype == np.uint8
