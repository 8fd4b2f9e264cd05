"""Known wrong answers, which the checks of the homeworks must reject, and their messages."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Literal

BUGS = {
    "swapped_tables": "the token table is looked up with positions, the position table with tokens",
    "batch_axis": "positions run along the batch axis",
    "built_not_added": "position vectors are built and never added",
    "hard_coded_ids": "position ids are hard-coded",
    "past_the_table": "a position beyond the end of the table is silently truncated, clamped or wrapped",
    "lost_sign": "the exponent of the frequencies has lost its minus sign",
    "odd_d": "an odd dimension loses a column or raises an unrelated error",
    "mixed_layout": "interleaved and half-split rotation are mixed",
    "rope_on_values": "values are rotated, too",
    "alibi_sign": "the bias favours distant tokens",
    "revived_pad": "new values overwrite the zero row of the padding",
    "set_vocab": "the vocabulary is a set: its ids differ from process to process",
    "plain_attribute": "a fixed table is a plain attribute: not moved, not saved",
    "linear_not_transposed": "a linear layer gets the table without the transpose",
    "half_precision_ids": "positions or frequencies are rounded to bfloat16 or float16 before the angles are computed",
    "cache_offset": "with a key-value cache the positions of new tokens start at 0 again",
}
"""Bugs that published code shipped, by the name that a mutant refers to."""


@dataclass(frozen=True)
class Mutant:
    """One wrong answer.

    Attributes:
        homework: the notebook's name.
        answer: ``grade_id`` of the answer cell that it replaces.
        name: unique within the answer.
        source: what stands in the cell instead.
        message: a part of the line that names the misconception; of a hidden test, a part of its name.
        where: the kind of test that must say so. ``"hidden"``: the visible ones cannot tell it from a right answer.
        bug: a key of :data:`BUGS`, if published code shipped it.
    """

    homework: str
    answer: str
    name: str
    source: str
    message: str
    where: Literal["visible", "hidden"] = "visible"
    bug: str = ""

    def __str__(self) -> str:
        return f"{self.homework.split('_')[0]}.{self.answer}.{self.name}"


def every() -> list[Mutant]:
    """The mutants of all homeworks that have a registry: ``MUTANTS`` of ``mutants_hw1``, ``mutants_hw2``, …"""
    names = [f"tests.grading.mutants_hw{number}" for number in (1, 2, 3)]
    found = [importlib.import_module(name) for name in names if importlib.util.find_spec(name)]
    return [mutant for module in found for mutant in module.MUTANTS]
