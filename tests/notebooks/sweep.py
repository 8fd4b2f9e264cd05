"""The sweep: drive every control of every live figure through its range. Runs inside a lesson's own kernel."""

import json


def sweep(figures) -> list[str]:
    """What is wrong with these figures: exceptions, empty sentences, controls that change nothing."""
    problems = []
    for figure in figures:
        for name, control in figure.controls.items():
            problems += _drive(figure, name, control)
        corners = [{name: control.stops()[place] for name, control in figure.controls.items()} for place in (0, -1)]
        for values in corners:
            _draw(figure, values, problems)
    return problems


def _drive(figure, name, control) -> list[str]:
    problems: list[str] = []
    drafts = []
    for value in control.stops():
        if control.clean(value) != value:
            problems.append(f"{figure.title!r}: {name} cannot take its own stop {value!r}")
        draft = _draw(figure, {name: value}, problems)
        if draft:
            drafts.append(draft)
    if len(drafts) > 1:
        first_panels, first_sentence = drafts[0]
        if all(_alike(first_panels, panels) for panels, _ in drafts[1:]):
            problems.append(f"{figure.title!r}: {name} never changes the picture")
        if all(sentence == first_sentence for _, sentence in drafts[1:]):
            problems.append(f"{figure.title!r}: {name} never changes the sentence")
    return problems


def _draw(figure, values, problems):
    try:
        message = figure.draw(values)
        json.dumps({key: value for key, value in message.items() if key != "buffers"}, allow_nan=False)
        panels, sentence = figure(**values)
    except Exception as error:
        problems.append(f"{figure.title!r} at {values}: {type(error).__name__}: {error}")
        return None
    return panels, sentence


def _alike(some, others) -> bool:
    return len(some) == len(others) and all(one.same_as(other) for one, other in zip(some, others, strict=True))
