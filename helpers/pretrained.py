"""The token and position tables of a real model, GPT-2 or BERT: two tensors out of a file of hundreds of megabytes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

Model = Literal["gpt2", "bert-base-uncased"]

REPOSITORIES = {"gpt2": "openai-community/gpt2", "bert-base-uncased": "google-bert/bert-base-uncased"}
FILE = "model.safetensors"
SIZES = {"gpt2": "550 MB", "bert-base-uncased": "440 MB"}
# What each model calls its tables, tokens and positions; a model with a head on top puts its own name before them.
NAMES = {
    "GPT-2": ("transformer.", "wte.weight", "wpe.weight"),
    "BERT": ("bert.", "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"),
}
_FLOATS = {"F16", "BF16", "F32", "F64"}
_PICKLED = (b"PK\x03\x04", b"\x80")  # torch.save of today (a zip of pickles) and of old
_TIMEOUT_S = 3.0


class EmbeddingsUnavailable(RuntimeError):
    """The model is not on this computer, and was not or could not be fetched; its message is the same everywhere."""


@dataclass(frozen=True)
class Tables:
    """What a model adds up before its first layer.

    Attributes:
        tokens: a row for every token, (vocab_size, d_model), float32.
        positions: a row for every position, (max_len, d_model), float32.
        source: model and file, for a title.
    """

    tokens: Tensor
    positions: Tensor
    source: str


def load_embeddings(path: str | Path | None = None, *, model: Model = "gpt2", download: bool = False) -> Tables:
    """Read the two tables of GPT-2 (Radford et al. 2019) or BERT (Devlin et al. 2019), and nothing else of the file.

    Args:
        path: a ``.safetensors`` file; its names tell the model. Without it, the file that the Hugging Face hub's cache
            holds for ``model``.
        download: fetch the file from the hub if the cache has none.

    Raises:
        EmbeddingsUnavailable: no path given, and the cache has no file or the hub does not answer.
        FileNotFoundError: no file at that path.
        ValueError: a folder, a pickled or damaged file, other names, or tables that do not fit together.
    """
    path = Path(path) if path is not None else _from_hub(model, download)
    if path.is_dir():
        raise ValueError(f"{path.name} is a folder; give the .safetensors file in it")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path.name}; check the path, relative to the notebook")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return _read(file, path.name)
    except SafetensorError as error:
        raise ValueError(f"{path.name} {_diagnosis(path)} ({error})") from None


def _read(file: Any, name: str) -> Tables:
    """The two tables of an open file, checked before they are read."""
    model, *names = _find(set(file.keys()), name)
    for each in names:
        view = file.get_slice(each)
        shape, dtype = view.get_shape(), view.get_dtype()
        if dtype not in _FLOATS:
            raise ValueError(
                f"{each} in {name} holds {dtype}; a table of floats is needed ({', '.join(sorted(_FLOATS))})"
            )
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"{each} in {name} has shape {tuple(shape)}; a table has rows and columns")
    tokens, positions = (file.get_tensor(each).float() for each in names)
    if tokens.shape[1] != positions.shape[1]:
        raise ValueError(
            f"{names[0]} in {name} is {tokens.shape[1]} wide and {names[1]} {positions.shape[1]}; "
            "vectors that are added have one width"
        )
    return Tables(tokens, positions, f"{model}, {name}")


def _find(held: set[str], name: str) -> tuple[str, str, str]:
    """The model and the full names of its two tables."""
    for model, (prefix, *tails) in NAMES.items():
        for before in ("", prefix):
            tokens, positions = (before + tail for tail in tails)
            if tokens in held and positions in held:
                return model, tokens, positions
    wanted = ", nor ".join(f"{model}'s {tokens} and {positions}" for model, (_, tokens, positions) in NAMES.items())
    shown = ", ".join(sorted(held)[:8]) or "nothing"
    more = f" and {len(held) - 8} more" if len(held) > 8 else ""
    raise ValueError(f"{name} holds neither {wanted}; it holds {shown}{more}")


def _diagnosis(path: Path) -> str:
    """Why a file cannot be read as safetensors: eight bytes of length, then a header in JSON, then the numbers."""
    with path.open("rb") as file:
        head = file.read(9)
    if head[8:] == b"{":
        return "is damaged or was cut off; fetch it again"
    if head.startswith(_PICKLED):
        return "is pickled, and to unpickle runs whatever code is inside; take the model's .safetensors file"
    return "is not a safetensors file; take the model's .safetensors file"


def _from_hub(model: str, download: bool) -> Path:
    """The model's file in the cache, or fetched into it."""
    if model not in REPOSITORIES:
        raise ValueError(f"model must be one of {', '.join(REPOSITORIES)}; got {model!r}")
    import huggingface_hub as hub

    repository = REPOSITORIES[model]
    with _quiet():
        try:
            return Path(hub.hf_hub_download(repo_id=repository, filename=FILE, local_files_only=True))
        except OSError:
            if not download:
                raise EmbeddingsUnavailable(
                    f"{model} is not on this computer: give a .safetensors file, or fetch {SIZES[model]} with "
                    f"load_embeddings(model={model!r}, download=True)"
                ) from None
        try:
            hub.get_hf_file_metadata(
                hub.hf_hub_url(repo_id=repository, filename=FILE), timeout=_TIMEOUT_S
            )  # one question, without retries
            return Path(hub.hf_hub_download(repo_id=repository, filename=FILE, etag_timeout=_TIMEOUT_S))
        except Exception as error:  # the errors of the hub, of HTTP and of its file transfer have no type in common
            raise EmbeddingsUnavailable(
                f"{model} is not on this computer and could not be fetched from the hub: give a .safetensors file, "
                "or try again with a network"
            ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar, no warning, no line of a log, until the end of the block."""
    from huggingface_hub.utils import disable_progress_bars, logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with disable_progress_bars():
                yield
    finally:
        logging.set_verbosity(before)
