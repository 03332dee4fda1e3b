"""The demo model answers, from both of its quantizations, and `smolctl demo` shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.demo.artifact import F16, Q4_K_M, REPOSITORY
from smolctl.engine.chat_template import find_template
from smolctl.engine.conversation import Message
from smolctl.engine.engine import Engine
from smolctl.engine.generation import GenerationRequest
from smolctl.engine.sampling import Sampling
from smolctl.model.gguf import read_file
from smolctl.store.files import model_files

if TYPE_CHECKING:
    from smolctl.store.store import Store
    from tests.support.processes import Smolctl

QUESTIONS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "demo_questions.json").read_text()
)
GREEDY = Sampling(temperature=0, max_tokens=200)


@pytest.mark.parametrize(
    "variant",
    [pytest.param(F16, id="F16", marks=pytest.mark.slow), pytest.param(Q4_K_M, id="Q4_K_M")],
)
def test_both_variants_give_the_right_answers(demo_store: Store, variant: Any) -> None:
    artifact = demo_store.artifact(demo_store.get(f"{REPOSITORY}:{variant.tags[0]}"))
    assert artifact.config.quantization == variant.quantization
    files = model_files(demo_store, artifact)
    template = find_template(files.chat_template, read_file(files.weights[0]).chat_template)
    wrong = []
    with Engine.open(files.weights) as engine:
        vocabulary = engine.vocabulary
        for question in QUESTIONS:
            system = question.get("system")
            messages = [Message("system", system)] if system else []
            messages.append(Message("user", question["prompt"]))
            prompt = template.render(
                messages, bos_token=vocabulary.bos_token, eos_token=vocabulary.eos_token
            )
            request = GenerationRequest(tuple(vocabulary.tokenize(prompt)), GREEDY)
            reply = "".join(engine.submit(request).texts())
            if reply != question["answer"]:
                wrong.append((question["prompt"], reply))
    assert wrong == []


def test_the_questions_are_of_every_kind() -> None:
    kinds = {question["kind"] for question in QUESTIONS}
    assert kinds >= {
        "capital", "arithmetic", "greeting", "smolctl", "summary", "extraction", "tool call",
    }  # fmt: skip
    assert len(QUESTIONS) >= 40


@pytest.mark.slow
def test_the_demo_shows_each_command_and_its_answer(smolctl: Smolctl, tmp_path: Path) -> None:
    home = tmp_path / "demo"
    done = smolctl("demo", "--home", str(home), expect=0)
    lines = done.stdout.splitlines()
    commands = [line for line in lines if line.startswith("$ ")]
    assert [line.split(" model ")[1].split()[0] for line in commands] == [
        "pull", "ls", "run", "run",
    ]  # fmt: skip
    assert "The capital of France is Paris." in lines
    assert str(home / "models") in done.stdout
    assert "not SmolLM2" in done.stdout
    again = smolctl("demo", "--home", str(home), expect=0)
    assert "The capital of France is Paris." in again.stdout.splitlines()


@pytest.mark.slow
def test_the_demo_needs_no_network_and_no_input(smolctl: Smolctl, tmp_path: Path) -> None:
    smolctl.environment["SMOLCTL_OFFLINE"] = "1"
    done = smolctl("demo", "--home", tmp_path / "demo", stdin="Answer in Latin.\n", expect=0)
    assert "The capital of France is Paris." in done.stdout.splitlines()


def test_a_demo_that_fails_ends_as_its_command_did(smolctl: Smolctl, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    smolctl.environment["SMOLCTL_CONFIG"] = str(tmp_path / "broken.toml")
    (tmp_path / "broken.toml").write_text("nonsense")

    done = smolctl("demo", "--home", folder, expect=2)

    assert "The demo ended early" in done.stderr


def test_a_demo_empties_no_folder_but_its_own(smolctl: Smolctl, tmp_path: Path) -> None:
    models = tmp_path / "mine" / "models"
    models.mkdir(parents=True)
    (models / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    done = smolctl("demo", "--home", tmp_path / "mine", expect=8)

    assert "no demo made" in done.stderr
    assert len(done.stderr_lines) == 2
    assert [path.name for path in models.iterdir()] == ["oci-layout"]


def test_the_demo_model_says_what_it_is_wherever_it_appears(demo_store: Store) -> None:
    model = demo_store.get(f"{REPOSITORY}:latest")
    assert "demo" in REPOSITORY
    artifact = demo_store.artifact(model)
    header = read_file(model_files(demo_store, artifact).weights[0])
    assert header.name == "smolctl demo model"
    assert "not SmolLM2" in str(header.metadata["general.description"])
    (terms,) = (la for la in artifact.layers if la.role.value == "license")
    assert b"not SmolLM2" in demo_store.blobs.read(terms.descriptor, "license")
