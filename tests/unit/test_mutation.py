"""The checks of the lessons reject every small change to the authors' answers that changes what they compute."""

import ast

import pytest

from tests.tools.answers import assert_mutants_rejected, exercises
from tests.tools.mutation import DEFAULT, FORM, SYMMETRIC, TWO_AXES, mutants, run

_BROADCAST = "a row broadcasts with and without its first axis"

EQUIVALENT = {
    "00.cosine": {"a, b → b, a": SYMMETRIC, "a @ b → b @ a in a @ b / (a.norm() * b.norm())": SYMMETRIC},
    "01.shapes": {"tuple(ids_shape) → ids_shape": FORM},
    "02.encode": {
        "torch.tensor([row + [0] * (longest - len(row)) for row in rows], dtype=torch.long) → "
        "torch.tensor([row + [0] * (longest - len(row)) for row in rows])": DEFAULT,
        "torch.tensor([row + [0] * (longest - len(row)) for row in rows], dtype=torch.long) → "
        "[row + [0] * (longest - len(row)) for row in rows]": FORM,
    },
    "03.negative_sampling_loss": {"-1 → 1 in (centre * context).sum(dim=-1)": TWO_AXES},
    "03.nearest": {
        "F.normalize(table, dim=1) → F.normalize(table)": DEFAULT,
        "2.0 → 3.0 in cosines[i] = -2.0": "below every cosine, as −2 is",
        "2.0 → 1.0 in cosines[i] = -2.0": "no cosine is below −1",
    },
    "03.pmi": {
        "joint.sum(dim=0, keepdim=True) → joint.sum(dim=0)": _BROADCAST,
        "True → False in joint.sum(dim=0, keepdim=True)": _BROADCAST,
    },
    "04.analogy": {
        "b, c → c, b": SYMMETRIC,
        "F.normalize(table, dim=1) → F.normalize(table)": DEFAULT,
        "[a, b, c] → [b, a, c] in scores[[a, b, c]]": SYMMETRIC,
    },
    "04.explained_variance": {"vectors - vectors.mean(dim=0) → vectors.mean(dim=0) - vectors": "the sign is squared"},
    "04.bias_direction": {
        "F.normalize(table, dim=1) → F.normalize(table)": DEFAULT,
        "0 → -1 in F.normalize((unit[he] - unit[she]).mean(dim=0), dim=0)": TWO_AXES,
    },
    "04.project_out": {"0 → -1 in F.normalize(direction, dim=0)": TWO_AXES},
    "05.unchanged_outputs": {"0 → -1 in permutation.cummax(dim=0)": TWO_AXES},
    "06.interpolate": {
        "torch.linspace(0, max_len - 1, new_len, dtype=position_table.dtype) → "
        "torch.linspace(0, max_len - 1, new_len)": FORM,
        "old.floor() → old in old.floor().long": "the conversion to integers drops the fraction, too",
    },
    "06.texts_per_row": {"torch.zeros(max_len, dtype=torch.long) → torch.zeros(max_len)": FORM},
    "07.sinusoid": {
        "torch.arange(0, d_model, 2, dtype=torch.float64) → torch.arange(0, d_model, 2)": FORM,
        "torch.arange(length, dtype=torch.float64) → torch.arange(length)": FORM,
    },
    "07.shift_matrix": {"torch.arange(0, d_model, 2, dtype=torch.float64) → torch.arange(0, d_model, 2)": FORM},
    "08.balancing_factor": {"d_model → that of the first call": "the factor is the same for every dimension"},
    "08.score_terms": {
        "torch.stack([a @ w_query @ (b @ w_key).T for a in parts for b in parts]) → "
        "[a @ w_query @ (b @ w_key).T for a in parts for b in parts]": FORM
    },
    "09.apply_rope": {
        "part[..., 0::2] → part[..., 0:-1:2]": "the last of an even number of dimensions is no first of a pair",
        "-1 → 1 in cos.shape[-1]": TWO_AXES,
    },
    "09.offset_only": {
        "query, key → key, query": "the offset −3 shows the same as the offset 3",
        "rope(query, 5) @ rope(key, 2) → rope(key, 2) @ rope(query, 5)": SYMMETRIC,
        "rope(query, 105) @ rope(key, 102) → rope(key, 102) @ rope(query, 105)": SYMMETRIC,
    },
    "09.alibi_bias": {
        "key_positions[None, :] - query_positions[:, None] → query_positions[:, None] - key_positions[None, :]": (
            "a distance has no sign"
        ),
        "key_positions[None, :] → key_positions": _BROADCAST,
    },
    "09.t5_bucket": {
        "distance.clamp(min=1) → distance": "a distance of 0 takes the other branch",
        "1 → 2 in distance.clamp(min=1)": "distances below 2 take the other branch",
        "1 → 0 in distance.clamp(min=1)": "a distance of 0 takes the other branch",
        "distance < exact → distance <= exact": "both branches give `exact` there",
    },
}
"""Exercise → change of the answer that changes nothing → why. One that is not accepted fails the test."""


@pytest.mark.slow
@pytest.mark.parametrize("name", exercises())
def test_a_changed_answer_is_rejected(name: str, capsys) -> None:
    assert_mutants_rejected(exercises()[name], EQUIVALENT.get(name, {}), capsys)


def test_every_listed_exercise_exists() -> None:
    assert EQUIVALENT.keys() <= exercises().keys()


# ---------------------------------------------------------------- the operators

SOURCE = '''
def f(x, count, start=0):
    """A docstring."""
    if count < 1 and x:
        raise ValueError(f"count is {count}, at least 1 is needed")
    total = 0
    for each in x[:count]:
        total += each.item() - 1
    return g(total, dim=0) if start else -total
'''


@pytest.mark.parametrize(
    "change",
    [
        "result → that of the first call",
        "x → that of the first call",
        "x, count → count, x",
        "count < 1 and x → False",
        "count < 1 and x → True",
        "count < 1 → count <= 1 in count < 1 and x",
        "count < 1 → count >= 1 in count < 1 and x",
        "count < 1 and x → count < 1 or x",
        "1 → 2 in count < 1 and x",
        "total = 0 → pass",
        "for each in x[ → … in list(x[:count])[:1]",
        "x[:count] → x[1:count]",
        "each.item() - 1 → each.item() + 1",
        "total += each.item() - 1 → total -= each.item() - 1",
        "g(total, dim=0) → g(total)",
        "g(total, dim=0) if start else -total → -total",
        "-total → total in g(total, dim=0) if start else -total",
    ],
)
def test_the_changes_of_a_function(change: str) -> None:
    found = {mutant.change: mutant.source for mutant in mutants(SOURCE, "f")}
    assert change in found, sorted(found)
    assert found[change] != ast.unparse(ast.parse(SOURCE))


def test_irrelevant_code_is_not_mutated() -> None:
    changes = [mutant.change for mutant in mutants(SOURCE, "f")]
    assert len(set(changes)) == len(changes)
    assert not any("needed?" in change or "docstring" in change or "each.item() → each" in change for change in changes)
    with pytest.raises(ValueError, match="defines no function 'h'"):
        mutants(SOURCE, "h")


def test_a_check_that_accepts_everything_is_detected() -> None:
    blind = run(SOURCE, "f", lambda source: "")
    assert blind.rate == 0 and blind.total == len(mutants(SOURCE, "f"))
    strict = run(SOURCE, "f", lambda source: "wrong", ["x, count → count, x"])
    assert strict.rate == 1 and strict.unknown == ("x, count → count, x",)
