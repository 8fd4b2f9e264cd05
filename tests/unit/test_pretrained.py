"""Tables of pretrained models, read from valid and damaged files and from a simulated hub."""

import hashlib
import http.server
import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import layer_norm

from helpers import positions, pretrained
from helpers.pretrained import FILE, EmbeddingsUnavailable, load_embeddings

GPT2, BERT = ((names.tokens, names.positions) for names in map(pretrained.NAMES.get, ("GPT-2", "BERT")) if names)

Tensors = dict[str, torch.Tensor]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def written(folder: Path, names: tuple[str, str] = GPT2, changed: Tensors | None = None) -> Path:
    held = {names[0]: draw(11, 4), names[1]: draw(6, 4, seed=1), "h.0.attn.c_attn.weight": draw(4, 12, seed=2)}
    save_file(held | (changed or {}), folder / FILE)
    return folder / FILE


# ---------------------------------------------------------------- whole files


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_gpt2_with_and_without_its_prefix(tmp_path: Path, prefix: str) -> None:
    found = load_embeddings(written(tmp_path, (prefix + GPT2[0], prefix + GPT2[1])))
    assert torch.equal(found.tokens, draw(11, 4)) and torch.equal(found.positions, draw(6, 4, seed=1))
    assert found.source == "GPT-2, model.safetensors"


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_bert_with_and_without_its_prefix(tmp_path: Path, prefix: str) -> None:
    found = load_embeddings(str(written(tmp_path, (prefix + BERT[0], prefix + BERT[1]))))
    assert torch.equal(found.tokens, draw(11, 4)) and torch.equal(found.positions, draw(6, 4, seed=1))
    assert found.source == "BERT, model.safetensors"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    found = load_embeddings(written(tmp_path, changed={GPT2[0]: draw(11, 4).to(dtype)}))
    assert found.tokens.dtype == found.positions.dtype == torch.float32
    assert torch.equal(found.tokens, draw(11, 4).to(dtype).float())


def test_changing_a_table_does_not_change_the_file(tmp_path: Path) -> None:
    path = written(tmp_path)
    load_embeddings(path).tokens.zero_()
    assert torch.equal(load_embeddings(path).tokens, draw(11, 4))


@pytest.mark.slow
def test_only_the_two_tables_are_read(tmp_path: Path) -> None:
    """The layers, 256 MB of them, leave no trace in the peak memory of the process."""
    path = written(tmp_path, changed={f"h.{i}.mlp.weight": torch.ones(4_000, 4_000) for i in range(4)})
    code = """
import resource, sys, safetensors
from helpers.pretrained import load_embeddings
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
before = peak()
load_embeddings(sys.argv[1]).tokens.sum()
print(peak() - before)
"""
    grown = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert float(grown.stdout) < 64


# ---------------------------------------------------------------- transformers writes, we read


def test_gpt2_adds_the_rows_of_both_tables(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model

    sizes = GPT2Config(vocab_size=40, n_positions=12, n_embd=8, n_layer=1, n_head=2)
    token_ids = torch.randint(40, (3, 9), generator=torch.Generator().manual_seed(0))
    for kind in (GPT2Model, GPT2LMHeadModel):
        model = kind(sizes).eval()
        model.save_pretrained(tmp_path / kind.__name__)
        found = load_embeddings(tmp_path / kind.__name__ / "model.safetensors")
        with torch.no_grad():
            theirs = model(token_ids, output_hidden_states=True).hidden_states[0]
        assert torch.equal(found.tokens[token_ids] + positions.rows(found.positions, 9), theirs)


def test_bert_adds_the_rows_of_both_tables_and_of_segments_and_normalises(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM, BertModel

    sizes = BertConfig(
        vocab_size=40,
        max_position_embeddings=12,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    token_ids = torch.randint(40, (3, 9), generator=torch.Generator().manual_seed(0))
    for kind in (BertModel, BertForMaskedLM):
        model = kind(sizes).eval()
        model.save_pretrained(tmp_path / kind.__name__)
        found = load_embeddings(tmp_path / kind.__name__ / "model.safetensors")
        theirs = model.base_model.embeddings
        with torch.no_grad():
            theirs.LayerNorm.weight.copy_(1 + draw(8))
            theirs.LayerNorm.bias.copy_(draw(8, seed=1))
            added = found.tokens[token_ids] + positions.rows(found.positions, 9)
            segment = theirs.token_type_embeddings.weight[0]  # BERT knows two segments; a lone text is all segment 0
            norm = theirs.LayerNorm
            mine = layer_norm(added + segment, (8,), norm.weight, norm.bias, norm.eps)
            assert torch.allclose(mine, theirs(token_ids), atol=1e-6)
            assert not torch.allclose(added, theirs(token_ids), atol=1e-2)


def test_the_first_two_position_rows_of_roberta_are_skipped(tmp_path: Path) -> None:
    from transformers import RobertaConfig, RobertaForMaskedLM, RobertaModel

    sizes = RobertaConfig(
        vocab_size=40,
        max_position_embeddings=14,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        type_vocab_size=1,
    )
    token_ids = torch.randint(2, 40, (3, 12), generator=torch.Generator().manual_seed(0))  # 1 is padding
    for kind in (RobertaModel, RobertaForMaskedLM):
        model = kind(sizes).eval()
        model.save_pretrained(tmp_path / kind.__name__)
        found = load_embeddings(tmp_path / kind.__name__ / "model.safetensors")
        assert found.source == "RoBERTa, model.safetensors" and found.offset == 2 and len(found.positions) == 12
        theirs = model.base_model.embeddings
        with torch.no_grad():
            added = found.tokens[token_ids] + positions.rows(found.positions, 12)
            mine = layer_norm(added + theirs.token_type_embeddings.weight[0], (8,), eps=theirs.LayerNorm.eps)
            assert torch.allclose(mine, theirs(token_ids), atol=1e-6)


def test_the_first_two_position_rows_of_opt_are_skipped(tmp_path: Path) -> None:
    from transformers import OPTConfig, OPTForCausalLM, OPTModel

    sizes = OPTConfig(
        vocab_size=40,
        max_position_embeddings=12,
        hidden_size=8,
        word_embed_proj_dim=8,
        ffn_dim=16,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    token_ids = torch.randint(2, 40, (3, 12), generator=torch.Generator().manual_seed(0))
    for kind in (OPTModel, OPTForCausalLM):
        model = kind(sizes).eval()
        model.save_pretrained(tmp_path / kind.__name__)
        found = load_embeddings(tmp_path / kind.__name__ / "model.safetensors")
        assert found.source == "OPT, model.safetensors" and found.offset == 2 and len(found.positions) == 12
        with torch.no_grad():
            theirs = model(token_ids, output_hidden_states=True).hidden_states[0]
        assert torch.equal(found.tokens[token_ids] + positions.rows(found.positions, 12), theirs)


# ---------------------------------------------------------------- damaged and foreign files


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file gone\.safetensors; check the path"):
        load_embeddings(tmp_path / "gone.safetensors")
    with pytest.raises(ValueError, match="is a folder; give the .safetensors file in it"):
        load_embeddings(tmp_path)


@pytest.mark.parametrize("kept", [9, 40, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="model.safetensors is damaged or was cut off; fetch it again"):
        load_embeddings(path)


def test_a_broken_header_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[9:12] = b"???"
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="is damaged or was cut off"):
        load_embeddings(path)


@pytest.mark.parametrize("content", [b"", b"a few words", b"version 2 of a story\n" * 20])
def test_a_file_of_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="model.safetensors is not a safetensors file"):
        load_embeddings(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html>\n<html><head><title>model.safetensors at main</title>", "is a web page"),
        (b"<html lang='en'>", "is a web page"),
    ],
)
def test_pointers_and_web_pages_are_named_in_the_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=f"model.safetensors {message}"):
        load_embeddings(tmp_path / "model.safetensors")


class Trap:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "renamed.safetensors"])
def test_pickled_files_are_refused_unopened(tmp_path: Path, how: str, name: str) -> None:
    held, path = {GPT2[0]: draw(11, 4), GPT2[1]: draw(6, 4), "trap": Trap(tmp_path / "sprung")}, tmp_path / name
    if how == "pickle":
        path.write_bytes(pickle.dumps(held))
    else:
        torch.save(held, path, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(ValueError, match=f"{name} is pickled, and to unpickle runs whatever code is inside"):
        load_embeddings(path)
    assert not (tmp_path / "sprung").exists()


def test_unknown_tensor_names_are_refused(tmp_path: Path) -> None:
    save_file({f"layer.{i}": draw(2) for i in range(10)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError) as error:
        load_embeddings(tmp_path / "a.safetensors")
    assert "neither GPT-2's wte.weight and wpe.weight, nor BERT's embeddings.word_emb" in str(error.value)
    assert str(error.value).endswith(
        "it holds layer.0, layer.1, layer.2, layer.3, layer.4, layer.5, layer.6, layer.7 and 2 more"
    )
    for held in ({GPT2[0]: draw(2, 2)}, {GPT2[0]: draw(2, 2), "transformer." + GPT2[1]: draw(2, 2)}):  # a half, a mix
        save_file(held, tmp_path / "a.safetensors")
        with pytest.raises(ValueError, match="neither GPT-2's"):
            load_embeddings(tmp_path / "a.safetensors")
    save_file({}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="it holds nothing"):
        load_embeddings(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (torch.ones(6, 4, dtype=torch.int64), r"wpe.weight in model.safetensors holds I64; a table of floats"),
        (torch.ones(6, 4, dtype=torch.bool), "holds BOOL"),
        (draw(6), r"wpe.weight in model.safetensors has shape \(6,\); a table has rows and columns"),
        (draw(1, 6, 4), r"has shape \(1, 6, 4\)"),
        (draw(0, 4), r"has shape \(0, 4\)"),
        (draw(6, 5), "wte.weight in model.safetensors has rows of 4 numbers and wpe.weight of 5"),
    ],
)
def test_tables_of_different_dimensions_are_refused(tmp_path: Path, table: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_embeddings(written(tmp_path, changed={GPT2[1]: table}))


# ---------------------------------------------------------------- the hub


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match="model must be one of gpt2, bert-base-uncased; got 'gpt5'"):
        load_embeddings(model="gpt5")  # type: ignore[arg-type]


def test_a_file_in_the_cache_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def cached(repo_id: str, filename: str, local_files_only: bool = False) -> str:
        calls.append((repo_id, filename, local_files_only))
        return str(written(tmp_path, BERT))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", cached)
    assert load_embeddings(model="bert-base-uncased").source == "BERT, model.safetensors"
    assert calls == [("google-bert/bert-base-uncased", "model.safetensors", True)]


def test_nothing_is_downloaded_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(local_files_only: bool = False, **_) -> str:
        assert local_files_only
        raise FileNotFoundError

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", empty)
    with pytest.raises(EmbeddingsUnavailable, match="gpt2 is not on this computer: give a .* or fetch 550 MB with"):
        load_embeddings()


@pytest.mark.parametrize("failure", [ConnectionError, TimeoutError, RuntimeError, PermissionError])
def test_all_failures_of_a_download_raise_the_same_error(
    monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    def empty(local_files_only: bool = False, **_) -> str:
        raise FileNotFoundError if local_files_only else failure("error differently on every computer")

    def fails(*_, timeout: float, **__) -> None:
        assert timeout <= 5
        raise failure("error differently on every computer")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", empty)
    for calls in (fails, lambda *_, **__: None):  # the hub does not answer; it answers and then breaks off
        monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", calls)
        with pytest.raises(EmbeddingsUnavailable) as error:
            load_embeddings(download=True)
        assert str(error.value) == (
            "gpt2 is not on this computer and could not be fetched from the hub: give a .safetensors file, or try "
            "again with a network"
        )
        assert isinstance(error.value.__cause__, failure)


def hub(file: Path) -> http.server.ThreadingHTTPServer:
    """A hub that knows one file of GPT-2 and answers as the real one does, without its redirect."""
    content = file.read_bytes()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            known = self.path == "/openai-community/gpt2/resolve/main/model.safetensors"
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(content) if known else 0))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("X-HF-Warning", "news;something to print")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(content)

        def log_message(self, *_) -> None:
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)


ASK = """
import json, sys, time
from helpers.pretrained import EmbeddingsUnavailable, load_embeddings
for arguments in json.loads(sys.argv[1]):
    start = time.monotonic()
    try:
        answer = load_embeddings(**arguments).tokens.sum().item()
    except EmbeddingsUnavailable as error:
        answer = str(error)
    print(json.dumps([answer, time.monotonic() - start]))
"""


class Reader:
    """Calls load_embeddings in processes whose hub is ours."""

    def __init__(self, folder: Path) -> None:
        self.server = hub(written(folder))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().startswith("hf_") and "_proxy" not in name.lower()
        }
        address = f"http://127.0.0.1:{self.server.server_port}"
        bars = {"TQDM_POSITION": "-1"}  # on, also where there is no terminal
        self.environment |= {"HF_HOME": str(folder / "home"), "HF_ENDPOINT": address} | bars

    def ask(self, *calls: dict[str, Any]) -> list[tuple[float | str, float]]:
        """The answers to calls with these arguments, one after the other in one process, and the seconds of each."""
        command = [sys.executable, "-W", "always", "-c", ASK, json.dumps(calls)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]

    def stop_hub(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.slow
def test_fetched_once_and_read_from_the_cache_when_the_hub_is_gone(tmp_path: Path) -> None:
    """A hub that is gone or does not know the model costs little; nothing is printed."""
    reader, bert = Reader(tmp_path), "bert-base-uncased"
    total = pytest.approx(draw(11, 4).sum().item())
    (before, _), (fetched, _), unknown = reader.ask({}, {"download": True}, {"model": bert, "download": True})
    assert "or fetch 550 MB" in str(before) and fetched == total
    reader.stop_hub()
    (cached, _), (again, _), gone = reader.ask({}, {"download": True}, {"model": bert, "download": True})
    assert cached == again == total
    for answer, seconds in (unknown, gone):
        assert "could not be fetched from the hub" in str(answer) and seconds < 10
