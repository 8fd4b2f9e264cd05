"""The token and position embeddings of GPT-2, BERT, RoBERTa or OPT, read without the rest of their files."""

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


@dataclass(frozen=True)
class Names:
    """Names of the two tables in a model's files.

    Attributes:
        prefix: what precedes both names in the files of a model with a head.
        tokens: name of the token embeddings.
        positions: name of the position embeddings.
        offset: number of rows before that of position 0. RoBERTa and OPT inherit two from fairseq, where padding has
            the id 1 and positions start after it.
    """

    prefix: str
    tokens: str
    positions: str
    offset: int = 0


BERT_NAMES = ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight")
NAMES = {
    "GPT-2": Names("transformer.", "wte.weight", "wpe.weight"),
    "BERT": Names("bert.", *BERT_NAMES),
    "RoBERTa": Names("roberta.", *BERT_NAMES, offset=2),
    "OPT": Names("model.", "decoder.embed_tokens.weight", "decoder.embed_positions.weight", offset=2),
}
SEGMENTS = "embeddings.token_type_embeddings.weight"  # two rows in BERT, one in RoBERTa
_FLOATS = {"F16", "BF16", "F32", "F64"}
_PICKLED = (b"PK\x03\x04", b"\x80")  # torch.save since PyTorch 1.6 (a zip of pickles), and before
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_WEB_PAGE = (b"<!doctype html", b"<html")
_TIMEOUT_S = 3.0


class EmbeddingsUnavailable(RuntimeError):
    """The model is not in the cache, and was not or could not be downloaded; the message contains no path."""


@dataclass(frozen=True)
class Tables:
    """The token and position embeddings that a model adds before its first layer.

    Attributes:
        tokens: a row for every token, (vocab_size, d_model), float32.
        positions: a row for every position, the first for position 0, (max_len, d_model), float32.
        source: model and file, for a title.
        offset: rows of the stored table before that of position 0, left out of ``positions``.
    """

    tokens: Tensor
    positions: Tensor
    source: str
    offset: int = 0


def load_embeddings(path: str | Path | None = None, *, model: Model = "gpt2", download: bool = False) -> Tables:
    """Read the two tables of GPT-2, BERT, RoBERTa or OPT, and nothing else of the file.

    Radford et al. (2019), Devlin et al. (2019), Liu et al. (2019), Zhang et al. (2022).

    Args:
        path: a ``.safetensors`` file; the model is identified by its tensor names. By default, the file of ``model``
            in the cache of the Hugging Face hub.
        model: the model to load if there is no ``path``.
        download: whether to download the file from the hub if it is not in the cache.

    Raises:
        EmbeddingsUnavailable: there is no ``path``, and the file is not in the cache, or the hub does not answer.
        FileNotFoundError: there is no file at ``path``.
        ValueError: an unknown model; or ``path`` is a folder, a pickled or damaged file, a Git LFS pointer, a web page,
            a file with other tensor names, or one whose tables have different dimensions.
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
    model, names = _find_tables(set(file.keys()), name)
    if model == "BERT" and (segments := names[0].removesuffix(BERT_NAMES[0]) + SEGMENTS) in file.keys():
        model = "RoBERTa" if file.get_slice(segments).get_shape()[0] == 1 else model
    for tensor_name in names:
        view = file.get_slice(tensor_name)
        shape, dtype = view.get_shape(), view.get_dtype()
        if dtype not in _FLOATS:
            raise ValueError(
                f"{tensor_name} in {name} holds {dtype}; a table of floats is needed ({', '.join(sorted(_FLOATS))})"
            )
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"{tensor_name} in {name} has shape {tuple(shape)}; a table has rows and columns")
    tokens, positions = (file.get_tensor(tensor_name).float() for tensor_name in names)
    if tokens.shape[1] != positions.shape[1]:
        raise ValueError(
            f"{names[0]} in {name} has rows of {tokens.shape[1]} numbers and {names[1]} of {positions.shape[1]}; "
            "vectors that are added have the same dimension"
        )
    offset = NAMES[model].offset
    return Tables(tokens, positions[offset:], f"{model}, {name}", offset)


def _find_tables(stored: set[str], name: str) -> tuple[str, list[str]]:
    """The model and the full names of its two tables.

    Raises:
        ValueError: there are no tables of a known model.
    """
    for model, names in NAMES.items():
        for prefix in ("", names.prefix):
            tables = [prefix + names.tokens, prefix + names.positions]
            if stored.issuperset(tables):
                return model, tables
    wanted = ", nor ".join(f"{model}'s {names.tokens} and {names.positions}" for model, names in NAMES.items())
    shown = ", ".join(sorted(stored)[:8]) or "nothing"
    more = f" and {len(stored) - 8} more" if len(stored) > 8 else ""
    raise ValueError(f"{name} holds neither {wanted}; it holds {shown}{more}")


def _diagnosis(path: Path) -> str:
    """Why a file cannot be read as safetensors: eight bytes of length, then a header in JSON, then the numbers."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(_LFS_POINTER):
        return "is a Git LFS pointer, not the file itself; run git lfs pull, or download the file from the hub"
    if head.lstrip().lower().startswith(_WEB_PAGE):
        return "is a web page that was saved under this name; use the download link of the file"
    if head[8:9] == b"{":
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
            # one request without retries, so that an unreachable hub is noticed at once
            hub.get_hf_file_metadata(hub.hf_hub_url(repo_id=repository, filename=FILE), timeout=_TIMEOUT_S)
            return Path(hub.hf_hub_download(repo_id=repository, filename=FILE, etag_timeout=_TIMEOUT_S))
        except Exception as error:  # the errors of the hub, of HTTP and of its file transfer have no type in common
            raise EmbeddingsUnavailable(
                f"{model} is not on this computer and could not be fetched from the hub: give a .safetensors file, "
                "or try again with a network"
            ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress progress bars, warnings and log messages within the block."""
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
