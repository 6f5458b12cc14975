"""Weights on disk: the study's ``.torch`` state dicts and our ``.safetensors``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, cast

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from morphobench._util.json import write_json
from morphobench.errors import InputError
from morphobench.models.backbones import NamedEncoder, make_encoder
from morphobench.models.heads import Classifier, Decoder
from morphobench.models.preprocessing import as_batch, map_images
from morphobench.models.small_cnn import FAMILY, is_small, small_specs
from morphobench.models.study_encoder import Encoder
from morphobench.models.tensor_file import weights_sha256, write_tensors
from morphobench.types import Float32Array, Path

FORMAT = "morphobench-encoder-1"
_BATCH = 64


class PublishedNetwork:
    """A network of the study, whole: an encoder with the decoder or the classifier it was trained with.

    All methods take uint8 (N, C, H, W), or (N, H, W) for one channel, and divide by 255; they raise TypeError
    for another dtype and InputError for another shape.

    Attributes:
        encoder: embeds.
        head: the decoder or the classifier.
        kind: ``"autoencoder"`` or ``"deep_classifier"``.
    """

    def __init__(self, encoder: Encoder, head: Decoder | Classifier) -> None:
        """Take two networks, in evaluation mode from then on.

        Args:
            encoder: embeds.
            head: what follows it.
        """
        self.encoder = encoder.eval()
        self.head = head.eval()
        self.kind = "autoencoder" if isinstance(head, Decoder) else "deep_classifier"

    def _map(self, network: nn.Module, images: NDArray[Any] | Tensor) -> Float32Array:
        return map_images(network, as_batch(images, channels=self.encoder.channels), batch_size=_BATCH)

    def embed(self, images: NDArray[Any] | Tensor) -> Float32Array:
        """Embed images.

        Args:
            images: uint8 (N, C, H, W).

        Returns:
            float32 (N, 2048).
        """
        return self._map(self.encoder, images)

    def class_probability(self, images: NDArray[Any] | Tensor) -> Float32Array:
        """Classify images.

        Args:
            images: uint8 (N, C, H, W).

        Returns:
            Softmax of the classifier, float32 (N, 2); column 1 is the drug class.

        Raises:
            InputError: for an autoencoder.
        """
        if self.kind != "deep_classifier":
            raise InputError("class_probability must be asked of a deep classifier, got an autoencoder")
        return self._map(nn.Sequential(self.encoder, self.head, nn.Softmax(dim=1)), images)

    def reconstruct(self, images: NDArray[Any] | Tensor) -> Float32Array:
        """Reconstruct images.

        Args:
            images: uint8 (N, C, H, W).

        Returns:
            float32 (N, C, 64, 64) in [0, 1].

        Raises:
            InputError: for a deep classifier.
        """
        if self.kind != "autoencoder":
            raise InputError("reconstruct must be asked of an autoencoder, got a deep classifier")
        return self._map(nn.Sequential(self.encoder, self.head, nn.Sigmoid()), images)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors of a weights file and its metadata (none in ``.torch`` files)."""
    file = FilePath(path)
    if not file.is_file():
        raise InputError(f"{file} must be a weights file, got no such file")
    if file.suffix == ".safetensors":
        try:
            with safe_open(file, framework="pt", device="cpu") as opened:
                tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
                return tensors, dict(opened.metadata() or {})
        except SafetensorError as error:
            raise InputError(f"{file} must be a safetensors file, got other content ({error})") from error
    try:
        with warnings.catch_warnings():  # what torch thinks of a stranger's file is no news to users
            warnings.simplefilter("ignore")
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler runs the file's own instructions: any error may come of them
        raise InputError(
            f"{file} must be a plain PyTorch state dict, got a file that does not load as one"
        ) from error
    if not isinstance(state, Mapping) or not all(map(_is_named_tensor, state.items())):
        raise InputError(f"{file} must be a state dict of named, dense tensors, got {type(state).__name__}")
    return dict(state), {}


def _is_named_tensor(item: tuple[Any, Any]) -> bool:
    name, tensor = item
    dense = isinstance(tensor, Tensor) and tensor.layout == torch.strided and not tensor.is_quantized
    return isinstance(name, str) and dense and not tensor.is_complex()


def _finite(network: nn.Module, path: Path) -> nn.Module:
    """``network``, unless one of its weights is NaN or infinite: then no embedding would be a number."""
    for name, tensor in network.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: {name} must be finite, got NaN or infinite weights")
    return network


def _filled(module: nn.Module, state: Mapping[str, Tensor], prefix: str, path: Path) -> nn.Module:
    """``module`` with the weights of ``state`` under ``prefix``; other names of ``state`` are left alone."""
    for name, parameter in module.named_parameters():
        found = state.get(prefix + name)
        if found is None or found.shape != parameter.shape:
            got = "none" if found is None else f"shape {tuple(found.shape)}"
            raise InputError(f"{path}: {prefix + name} must have shape {tuple(parameter.shape)}, got {got}")
        with torch.no_grad():
            parameter.copy_(found)
    _finite(module, path)
    return module


def _encoder_from(state: Mapping[str, Tensor], path: Path, *, size_px: int = 64) -> tuple[Encoder, str]:
    """The encoder of a state dict and the prefix of its names."""
    prefix = next((prefix for prefix in ("encoder.", "model.") if f"{prefix}0.weight" in state), None)
    if prefix is None or state[f"{prefix}0.weight"].ndim != 4:
        shown = ", ".join(list(state)[:4])[:200] or "nothing"
        raise InputError(f"{path} must hold encoder.0.weight or model.0.weight, got {shown}")
    encoder = Encoder(state[f"{prefix}0.weight"].shape[1], size_px=size_px)
    _filled(encoder, state, prefix, path)
    return encoder, prefix


def load_encoder(path: Path, *, encoder: str | None = None) -> nn.Module:
    """Load the encoder of a weights file.

    Args:
        path: a ``.safetensors`` file of ``save_encoder``, or a ``.torch`` state dict of the study
            (autoencoder or deep classifier; read with ``weights_only=True``, so that no code in it runs).
        encoder: needed only for the file of an encoder at ``"package.module:factory"``, and must be that
            name: a file may not choose what is imported.

    Returns:
        The encoder, in evaluation mode on the CPU.

    Raises:
        InputError: naming the file and what is wrong with it.
    """
    state, metadata = _read(path)
    if metadata and metadata.get("format", FORMAT) != FORMAT:
        raise InputError(f"{path} must have the format {FORMAT}, got {metadata['format'][:200]}")
    name, size_px = metadata.get("encoder", "study"), _size(metadata, "size_px", "64", path)
    if ":" in name and not is_small(name) and name != encoder:
        raise InputError(f"encoder must be {name!r}, with which {path} was made, got {encoder!r}")
    try:
        if name == "study":
            return _encoder_from(state, path, size_px=size_px)[0].eval()
        weights = {key.removeprefix("encoder."): value for key, value in state.items()}
        network = _made_for(weights, name, _size(metadata, "channels", "1", path), size_px)
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{path} must hold the weights of a {name}, got others ({error})") from error
    except InputError as error:
        told = str(error)[:1000]
        raise error if told.startswith(str(path)) else InputError(f"{path}: {told}") from error
    return _finite(network, path).eval()


def _size(metadata: Mapping[str, str], key: str, default: str, path: Path) -> int:
    text = metadata.get(key, default)
    if not re.fullmatch("[1-9][0-9]{0,4}", text):
        raise InputError(f"{path}: {key} must be a whole number of 1 to 99999, got {text[:40]!r}")
    return int(text)


def _made_for(weights: Mapping[str, Tensor], name: str, channels: int, size_px: int) -> nn.Module:
    """An encoder whose tensors have the shapes of ``weights``; no memory is taken for any other."""
    if ":" not in name or is_small(name):
        with torch.device("meta"):
            planned = make_encoder(name, channels, size_px).state_dict()
        for key in (*planned, *weights):
            wanted, got = (tuple(each[key].shape) if key in each else "none" for each in (planned, weights))
            if wanted != got:
                raise InputError(f"{key[:200]} of {name} must have shape {wanted}, got {got}")
    return make_encoder(name, channels, size_px)


def load_published(path: Path) -> PublishedNetwork:
    """Load a published network, whole.

    Args:
        path: its ``.torch`` state dict.

    Returns:
        The encoder with its decoder or classifier.

    Raises:
        InputError: naming the file and what is wrong with it.
    """
    state, _ = _read(path)
    encoder, prefix = _encoder_from(state, path)
    head: Decoder | Classifier
    if prefix == "encoder.":
        head = Decoder(encoder.channels)
        _filled(head, state, "decoder.", path)
    else:
        head = Classifier(encoder.embedding_size, slope=1.0, names=("10", "12"))
        _filled(head, state, "model.", path)
    return PublishedNetwork(encoder, head)


def save_encoder(path: Path, encoder: nn.Module, metadata: Mapping[str, str] | None = None) -> None:
    """Write an encoder to a file that ``load_encoder`` reads; equal content gives equal bytes.

    ``NAME.config.json`` beside it tells programs without morphobench what the weights are of.

    Args:
        path: the ``.safetensors`` file.
        encoder: as ``make_encoder`` or ``load_encoder`` returned it.
        metadata: further text for the file's header (setup, seed, protocol ...).

    Raises:
        InputError: for another encoder, where a value of ``metadata`` is not a string, or a name is one of
            those that the format itself uses.
    """
    if not isinstance(encoder, NamedEncoder):
        raise InputError(f"encoder must be one that make_encoder returned, got {type(encoder).__name__}")
    own = {
        "format": FORMAT,
        "encoder": encoder.encoder_name,
        "channels": str(encoder.channels),
        "size_px": str(encoder.size_px),
    }
    for key, value in (metadata or {}).items():
        if key in own or not isinstance(value, str):
            raise InputError(
                f"metadata must be strings under names other than {', '.join(own)}, got {key}={value!r}"
            )
    tensors = {
        f"encoder.{name}": tensor.detach().to("cpu").contiguous()
        for name, tensor in encoder.state_dict().items()
    }
    file = FilePath(path)
    write_tensors(file, tensors, {**own, **(metadata or {})})
    write_json(file.with_suffix(".config.json"), encoder_config(encoder, metadata))


def encoder_config(encoder: NamedEncoder, metadata: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Describe an encoder and what it takes, for programs that do not have morphobench.

    Args:
        encoder: as ``make_encoder`` or ``load_encoder`` returned it.
        metadata: where it comes from (setup, seed, protocol ...).

    Returns:
        Architecture and its arguments, channels, size, preprocessing, length of an embedding, hash of the
        tensors and provenance, as plain JSON types.
    """
    family = is_small(encoder.encoder_name)
    return {
        "format": FORMAT,
        "architecture": FAMILY if family else encoder.encoder_name,
        "arguments": vars(next(small_specs(encoder.encoder_name))) if family else {},
        "channels": encoder.channels,
        "size_px": encoder.size_px,
        "embedding_size": encoder.embedding_size,
        "preprocessing": {
            "input": "uint8 images of shape (N, channels, size_px, size_px)",
            "scale": 1 / 255,
            "mean": [0.0] * encoder.channels,
            "std": [1.0] * encoder.channels,
        },
        "weights_sha256": weights_sha256(cast(nn.Module, encoder)),
        "provenance": dict(metadata or {}),
    }
