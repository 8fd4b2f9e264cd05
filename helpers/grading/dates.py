"""When a homework is due for a learner, and whether what was handed in is late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

DateSource = Literal["learner", "section", "course", ""]

UNKNOWN_DELAY = 1.0
"""Seconds for which a late penalty is computed where an LMS only says that work is late; they are stored nowhere."""


def parse(text: str) -> datetime:
    """A date and time in ISO 8601, ``2026-03-01T23:59+01:00``; without a zone it is in that of this computer.

    Raises:
        ValueError: it is none.
    """
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a date; write it as 2026-03-01T23:59+01:00") from None


def show(when: datetime) -> str:
    """``2026-03-01 22:59 UTC``, with seconds where there are any."""
    when = when.astimezone(UTC)
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when.second else f"{when:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class DueDates:
    """The due dates of one homework: a learner's own counts before that of the section, and that before the course's.

    Attributes:
        course: for everybody without another one.
        sections: by the section's name in the roster.
        learners: extensions by id.
    """

    course: datetime | None = None
    sections: Mapping[str, datetime] = field(default_factory=dict)
    learners: Mapping[str, datetime] = field(default_factory=dict)

    def of(self, learner: str, section: str = "") -> tuple[datetime | None, DateSource]:
        """The due date of a learner, and from where it comes."""
        if learner in self.learners:
            return self.learners[learner], "learner"
        if section in self.sections:
            return self.sections[section], "section"
        return self.course, "course" if self.course else ""


@dataclass(frozen=True)
class Lateness:
    """Whether a submission is late.

    Attributes:
        due: when it was due, if a date is known.
        source: whose date that is.
        handed_in: when it came, if the time is known.
        marked: the LMS marks it late, without a time.
    """

    due: datetime | None = None
    source: DateSource = ""
    handed_in: datetime | None = None
    marked: bool = False

    @property
    def seconds(self) -> float | None:
        """By how much it is late: 0 if it is not, ``None`` if only the fact is known."""
        if self.handed_in is not None:
            return max(0.0, (self.handed_in - self.due).total_seconds()) if self.due else 0.0
        # The LMS does not know of an extension that was given here.
        return None if self.marked and self.source != "learner" else 0.0

    @property
    def is_late(self) -> bool:
        return self.seconds is None or self.seconds > 0

    @property
    def is_doubtful(self) -> bool:
        """Marked late without a time, while an extension applies: it counts as on time."""
        return self.marked and self.handed_in is None and self.source == "learner"

    def __str__(self) -> str:
        """``late by 2 hours``, ``late``, ``on time``, or nothing where no date is known."""
        if self.seconds is None:
            return "late"
        if self.seconds:
            return f"late by {_duration(self.seconds)}"
        return "on time" if self.due and (self.handed_in or self.is_doubtful) else ""


def _duration(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}{'s' * (number > 1)}"
    number = max(1, int(seconds))
    return f"{number} second{'s' * (number > 1)}"
