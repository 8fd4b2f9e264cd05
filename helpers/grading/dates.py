"""Due dates and lateness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

DateSource = Literal["learner", "section", "course", ""]

UNKNOWN_DELAY = 1.0
"""The delay in seconds for the late penalty of work that an LMS marks as late without a time; it is not stored."""


def parse(text: str) -> datetime:
    """Parse a date and time in ISO 8601, ``2026-03-01T23:59+01:00``; the default zone is that of this computer.

    Raises:
        ValueError: the text is not a date.
    """
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a date; write it as 2026-03-01T23:59+01:00") from None


def show(when: datetime) -> str:
    """Format a time as ``2026-03-01 22:59 UTC``, with seconds if they are not zero."""
    when = when.astimezone(UTC)
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when.second else f"{when:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class DueDates:
    """The due dates of one homework: an individual date takes precedence over that of the section, and that over the
    date of the course.

    Attributes:
        course: the date of learners without another one.
        sections: dates by the section's name in the roster.
        learners: extensions by id.
    """

    course: datetime | None = None
    sections: Mapping[str, datetime] = field(default_factory=dict)
    learners: Mapping[str, datetime] = field(default_factory=dict)

    def of(self, learner: str, section: str = "") -> tuple[datetime | None, DateSource]:
        """The due date of a learner, and its source."""
        if learner in self.learners:
            return self.learners[learner], "learner"
        if section in self.sections:
            return self.sections[section], "section"
        return self.course, "course" if self.course else ""


@dataclass(frozen=True)
class Lateness:
    """Whether a submission is late.

    Attributes:
        due: the due date, if there is one.
        source: the source of the due date.
        handed_in: the time of submission, if it is known.
        marked: whether the LMS marks it as late.
    """

    due: datetime | None = None
    source: DateSource = ""
    handed_in: datetime | None = None
    marked: bool = False

    @property
    def seconds(self) -> float | None:
        """The delay: 0 if it is on time, ``None`` if it is late by an unknown time."""
        if self.handed_in is not None:
            return max(0.0, (self.handed_in - self.due).total_seconds()) if self.due else 0.0
        # The LMS does not know about extensions that are recorded here.
        return None if self.marked and self.source != "learner" else 0.0

    @property
    def is_late(self) -> bool:
        """Whether it is late."""
        return self.seconds is None or self.seconds > 0

    @property
    def is_doubtful(self) -> bool:
        """Whether it is marked late without a time although there is an extension; it then counts as on time."""
        return self.marked and self.handed_in is None and self.source == "learner"

    def __str__(self) -> str:
        """``late by 2 hours``, ``late``, ``on time``, or an empty text if no date is known."""
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
