"""The test command: counts, failures, and output of parts."""

import sys
from pathlib import Path

import pytest

from tests import __main__ as runner
from tests.__main__ import PYTEST, Part

pytestmark = pytest.mark.slow

PASSES = "def test_a(): pass\ndef test_b(): pass\n"
FAILS = "def test_c(): assert False, 'on purpose'\n"
SKIPS = "import pytest\ndef test_d(): pytest.skip('not here')\n"


def code(text: str) -> Part:
    """A part that runs a line of Python."""
    return Part([sys.executable, "-c", text])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Run the command over parts made up for the test: exit code and the lines printed."""
    monkeypatch.setattr(runner, "REPORTS", tmp_path / "reports")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take most of the time of these runs

    def run(chosen: dict[str, Part], *arguments: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(runner, "parts", lambda: chosen)
        result = runner.main(list(arguments))
        return result, capfd.readouterr().out.splitlines()

    return run


@pytest.fixture
def suite(tmp_path: Path):
    """A part that runs pytest over a file with this text."""

    def suite(name: str, text: str, *options: str) -> Part:
        path = tmp_path / f"test_{name}.py"
        path.write_text(text)
        return Part([*PYTEST, *options, str(path)])

    return suite


def row(lines: list[str], name: str) -> list[int]:
    """Passed, failed and skipped in the closing table."""
    return next([int(cell) for cell in line.split()[2:]] for line in lines if line.split()[:1] == [name])


def test_counts_come_from_pytest_and_from_exit_codes(run, suite) -> None:
    chosen = {"good": suite("good", PASSES), "bad": suite("bad", PASSES + FAILS + SKIPS)}
    chosen |= {"tool": code("pass"), "broken": code("raise SystemExit(3)"), "absent": code("raise SystemExit(77)")}
    result, lines = run(chosen, "-j", "2")
    assert result == 1 and lines[-1] == "5 passed, 2 failed, 2 skipped"
    counts = {name: row(lines, name) for name in chosen}
    assert counts["good"] == [2, 0, 0] and counts["bad"] == [2, 1, 1]
    assert counts["tool"] == [1, 0, 0] and counts["broken"] == [0, 1, 0] and counts["absent"] == [0, 0, 1]
    table = [line.split()[0] for line in lines[-len(chosen) - 3 : -2]]
    assert table == [*chosen, "all"], "in the order of the parts, not in that of their ends"
    assert any("on purpose" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "options"),
    [("import os\ndef test_a(): os._exit(1)\n", ()), (PASSES, ("-k", "nothing")), ("def broken(:\n", ())],
    ids=["a crash", "no test found", "a file that cannot be read"],
)
def test_a_part_that_ends_without_a_report_of_failures_has_failed(run, suite, text: str, options: tuple) -> None:
    result, lines = run({"only": suite("only", text, *options)})
    assert result == 1 and row(lines, "only")[1] == 1


def test_a_report_of_an_earlier_run_is_not_counted(run, suite) -> None:
    assert run({"only": suite("only", PASSES)})[0] == 0
    result, lines = run({"only": suite("only", "import os\nos._exit(0)\n")})
    assert row(lines, "only")[0] == 0


def test_in_ci_a_skipped_test_has_failed(run, suite, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"skips": suite("skips", SKIPS), "absent": code("raise SystemExit(77)")}
    for ci, expected in (("", (0, "0 passed, 0 failed, 2 skipped")), ("true", (1, "0 passed, 2 failed"))):
        monkeypatch.setenv("CI", ci)
        result, lines = run(chosen)
        assert (result, lines[-1]) == expected


def test_parts_run_side_by_side_and_their_output_does_not_mix(run, tmp_path: Path) -> None:
    """Each part waits for a file of the other, and prints before and after."""
    meet = (
        "import pathlib, sys, time; mine, other = map(pathlib.Path, sys.argv[1:]); print(mine.name, 1, flush=True);"
        "mine.touch(); end = time.time() + 20\nwhile not other.exists() and time.time() < end: time.sleep(0.01)\n"
        "time.sleep(0.2); print(mine.name, 2, file=sys.stderr); raise SystemExit(not other.exists())"
    )
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    chosen = {"one": Part([sys.executable, "-c", meet, one, two]), "two": Part([sys.executable, "-c", meet, two, one])}
    result, lines = run(chosen, "-j", "2")
    assert result == 0
    for name in chosen:
        start = lines.index(f"{name} 1")
        assert lines[start + 1] == f"{name} 2" and lines[start - 1].startswith(f"── {name} ─")


def test_no_more_parts_at_once_than_asked_for(run, tmp_path: Path) -> None:
    text = f"import pathlib, time; p = pathlib.Path({str(tmp_path / 'busy')!r}); p.mkdir(); time.sleep(0.1); p.rmdir()"
    assert run({name: code(text) for name in "abc"}, "-j", "1")[0] == 0, "mkdir fails where another part is busy"


def test_an_unknown_part_is_reported(run) -> None:
    result, lines = run({"unit": code("pass")}, "unit", "unitt")
    assert result == 2 and lines == ["no part is called unitt; there are: quick, unit"]


def test_every_test_file_belongs_to_a_part() -> None:
    """pytest itself says which files each part would collect."""
    chosen = [part.command for part in runner.parts().values() if "pytest" in part.command and "-p" not in part.command]
    collected: list[Path] = []
    for command in chosen:
        paths = [runner.ROOT / word for word in command[3:] if not word.startswith("-")]
        ignored = {runner.ROOT / word.removeprefix("--ignore=") for word in command if word.startswith("--ignore=")}
        for path in paths:
            collected += [path] if path.is_file() else [each for each in path.rglob("test_*.py") if each not in ignored]
    assert sorted(collected) == sorted((runner.ROOT / "tests").rglob("test_*.py")), "each once, none left out"
