"""The tests of the homeworks reject every small change to the authors' functions that changes what they compute."""

import pytest

from tests.tools.answers import assert_mutants_rejected, homework_answers
from tests.tools.mutation import DEFAULT, FORM, SYMMETRIC, TWO_AXES

_NO_HEADS = "no heads at all are not asked about"

EQUIVALENT = {
    "hw1.encode": {
        "torch.tensor([row + [ids['<pad>']] * (length - len(row)) for row in rows]) → "
        "[row + [ids['<pad>']] * (length - len(row)) for row in rows]": FORM
    },
    "hw1.lookup": {"0 <= i < len(table) → 0 <= i <= len(table)": "torch raises IndexError for the id V, and names it"},
    "hw1.centre": {"1 → 2 in -1 if padding_idx is None else padding_idx": "no row has the number −2, either"},
    "hw1.ppmi": {
        "0.0 → -1.0 in torch.where(counts > 0, torch.log(together / by_chance), 0.0)": "clamp(min=0) makes it 0"
    },
    "hw1.nearest": {
        "F.cosine_similarity(table, table[token_id], dim=1) → F.cosine_similarity(table[token_id], table, dim=1)": (
            SYMMETRIC
        ),
        "F.cosine_similarity(table, table[token_id], dim=1) → F.cosine_similarity(table, table[token_id])": DEFAULT,
        "int((scores > -torch.inf).sum()) → (scores > -torch.inf).sum()": FORM,
    },
    "hw1.analogy_rank": {
        "b, c → c, b": SYMMETRIC,
        "(a, b, c) → (b, a, c) in d in (a, b, c)": SYMMETRIC,
        "F.normalize(table, dim=1) → F.normalize(table)": DEFAULT,
        "[a, b, c] → [b, a, c] in scores[[a, b, c]]": SYMMETRIC,
        "int((scores > scores[d]).sum()) → (scores > scores[d]).sum()": FORM,
    },
    "hw2.sinusoid": {"positions.double() → positions": "the product with float64 frequencies is float64"},
    "hw2.rope_angles": {
        "torch.arange(0, head_dim, 2, dtype=torch.float64) → torch.arange(0, head_dim, 2)": FORM,
        "torch.arange(length, dtype=torch.float64) → torch.arange(length)": FORM,
    },
    "hw2.to_half": {"pairs.transpose(1, 2) → pairs.transpose(2, 1)": SYMMETRIC},
    "hw2.attend": {
        "-1 → 1 in queries.shape[-1]": TWO_AXES,
        "-1 → 1 in torch.softmax(scores.masked_fill(later, -torch.inf), dim=-1)": TWO_AXES,
    },
    "hw2.alibi_bias": {
        "num_heads < 1 or num_heads & num_heads - 1 → num_heads & num_heads - 1": _NO_HEADS,
        "1 → 0 in num_heads < 1": _NO_HEADS,
    },
    "hw3.wave_table": {
        "10000 → 10001 in 10000 ** (-torch.arange(0, d_model, 2) / d_model)": "below the tolerance",
        "10000 → 9999 in 10000 ** (-torch.arange(0, d_model, 2) / d_model)": "below the tolerance",
    },
    "hw3.rope": {"x[:, 0::2] → x[:, 0:-1:2] in [-x[:, 1::2], x[:, 0::2]]": "the last of an even width ends its pair"},
    "hw3.alibi": {
        "-1 → 1 in scores.shape[-1]": "queries and keys are as many",
        "1 → 2 in scores.shape[-1]": "queries and keys are as many",
        "positions[:, None] - positions[None, :] → positions[None, :] - positions[:, None]": "a distance has no sign",
        "positions[None, :] → positions": "it broadcasts alike",
    },
}
"""Homework and answer → change of the answer that changes nothing → why. One that loses points fails the test."""

# The tests that learners write in homework 3 are left out: other data in them are no fault.
FUNCTIONS = [name for name, task in homework_answers().items() if not task.name.startswith("test_")]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_changed_answer_loses_points(name: str, capsys) -> None:
    assert_mutants_rejected(homework_answers()[name], EQUIVALENT.get(name, {}), capsys)


def test_every_listed_answer_exists() -> None:
    assert EQUIVALENT.keys() <= set(FUNCTIONS) and len(FUNCTIONS) >= 28
