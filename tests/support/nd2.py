"""Writes Nikon's ND2 as far as the reader ``nd2`` asks for it: one frame, no time points or planes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x0ABECEDA
_NAME_BYTES = 4072  # a frame's name is filled up, so that its time and pixels lie at a fixed place
_TYPES: dict[type, str] = {bool: "bool", int: "lx_uint32", float: "double", str: "CLxStringW"}


def write_nd2(path: Path, pixels: NDArray[np.uint16], names: Sequence[str]) -> None:
    """Write one image of channels (C, H, W) with their names."""
    channels, height, width = pixels.shape
    attributes = {
        "uiWidth": width,
        "uiWidthBytes": 2 * channels * width,
        "uiHeight": height,
        "uiComp": channels,
        "uiBpcInMemory": 16,
        "uiBpcSignificant": 16,
        "uiSequenceCount": 1,
        "eCompression": 2,
    }
    planes = {
        f"a{number}": {"sDescription": name, "uiCompCount": 1, "pFluorescentProbe": {"m_sName": name}}
        for number, name in enumerate(names)
    }
    described = {
        "bCalibrated": False,
        "dCalibration": 1.0,
        "sPicturePlanes": {"uiCount": channels, "sPlane": planes},
    }
    frame = struct.pack("<d", 0.0) + np.moveaxis(pixels, 0, -1).astype("<u2").tobytes()
    content = b"".join([_head(32, 64), b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver2.1".ljust(64, b"\0")])
    entries = b""
    for name, data in (
        (b"ImageAttributes!", _variant(attributes)),
        (b"ImageMetadataSeq|0!", _variant(described)),
        (b"CustomData|AcqTimesCache!", struct.pack("<d", 0.0)),
        (b"ImageDataSeq|0!", frame),
    ):
        entries += name + struct.pack("<QQ", len(content), len(data))
        content += _head(_NAME_BYTES, len(data)) + name.ljust(_NAME_BYTES, b"\0") + data
    where = struct.pack("<Q", len(content))
    entries += b"ND2 CHUNK MAP SIGNATURE 0000001!" + where
    path.write_bytes(content + _head(32, len(entries)) + b"ND2 FILEMAP SIGNATURE NAME 0001!" + entries)


def _head(name_bytes: int, data_bytes: int) -> bytes:
    return struct.pack("<IIQ", _MAGIC, name_bytes, data_bytes)


def _variant(values: Mapping[str, object]) -> bytes:
    return f'<variant version="1.0">{_node("no_name", values)}</variant>'.encode()


def _node(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        inner = "".join(_node(key, each) for key, each in value.items())
        return f'<{name} runtype="CLxListVariant">{inner}</{name}>'
    return (
        f'<{name} runtype="{_TYPES[type(value)]}" value="{str(value).lower() if value is False else value}"/>'
    )
