"""The page that `make bench` writes."""

import io
import sys

from benchmarks.goals import Goal
from benchmarks.results import Copied, Results, Section, update

SPEED = Goal("a verified pull", 0.45, "x skopeo copy")
TOKENS = Goal("one sequence, generation", 0.97, "x llama-bench -n", at_least=True)


def _printed(*calls):
    copied = Copied(io.StringIO())
    with copied.as_stdout():
        print()
        for call in calls:
            call()
    return copied.text


def test_what_a_benchmark_prints_is_passed_on_and_kept():
    seen = io.StringIO()
    copied = Copied(seen)

    with copied.as_stdout():
        print("\na line")

    assert seen.getvalue() == "\na line\n"
    assert copied.text == "a line"
    assert sys.stdout is not copied


def test_a_page_begins_with_every_goal():
    text = _printed(
        lambda: print("Some table (median of 3: in turns)\n  smolctl   12 ms"),
        lambda: SPEED.judge(0.4321987),
        lambda: TOKENS.judge(0.5),
        lambda: SPEED.judge(None, missing="skopeo was skipped"),
    )

    page = Results({"pull": Section("Today.", text)}).page(["pull"])

    assert [line for line in page.splitlines() if line.startswith("| pull")] == [
        "| pull | a verified pull | at most 0.45 x skopeo copy | 0.4322 | met |",
        "| pull | one sequence, generation | at least 0.97 x llama-bench -n | 0.5 | NOT MET |",
        "| pull | a verified pull | at most 0.45 x skopeo copy | not measured |  |",
    ]


def test_a_partial_run_replaces_its_section_alone(tmp_path):
    path, order = tmp_path / "RESULTS.md", ["startup", "pull"]
    pulled = Section("One day.\n\n- a machine", "First table\n\nSecond table")
    update(path, "pull", pulled, order)
    update(path, "startup", Section("Another day.\n\n- another", "old"), order)

    update(path, "startup", Section("A third day.\n\n- another", "new"), order)

    sections = Results.parse(path.read_text()).sections
    assert sections == {
        "startup": Section("A third day.\n\n- another", "new"),
        "pull": pulled,
    }
    assert list(sections) == order


def test_the_same_sections_make_the_same_page(tmp_path):
    path = tmp_path / "RESULTS.md"
    section = Section("Today.\n\n- a machine", _printed(lambda: SPEED.judge(1.0)))
    update(path, "pull", section, ["pull"])
    page = path.read_text()

    update(path, "pull", section, ["pull"])

    assert path.read_text() == page
