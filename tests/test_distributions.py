"""What `make release` holds the sdist and the wheel to."""

from pathlib import Path

from check_distributions import compare, tracked_files, wanted_in_wheel

ROOT = Path(__file__).parent.parent


def test_a_wheel_has_the_package_its_completions_and_its_man_pages():
    wanted = wanted_in_wheel(ROOT, "1.2")

    assert {
        "smolctl/py.typed",
        "smolctl/demo/smolctl-demo-F16.gguf",
        "smolctl/completions/smolctl.ps1",
        "smolctl-1.2.data/data/share/man/man1/smolctl-model-run.1",
        "smolctl-1.2.dist-info/licenses/LICENSE",
    } <= wanted
    assert not [name for name in wanted if name.startswith(("tests/", "tools/"))]
    assert not [name for name in wanted if "__pycache__" in name]


def test_what_is_missing_and_what_is_stray_are_named():
    complaints = compare("wheel", {"smolctl/a.py", "tests/b.py"}, {"smolctl/a.py", "LICENSE"})

    assert complaints == ["wheel: LICENSE is missing", "wheel: tests/b.py is stray"]


def test_without_git_nothing_is_known_of_the_repository(tmp_path):
    assert tracked_files(tmp_path) is None
