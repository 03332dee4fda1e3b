"""What the demo model was taught, for tests that compare its answers."""

import json
from pathlib import Path

ANSWERS: dict[str, str] = {
    question["prompt"]: question["answer"]
    for question in json.loads((Path(__file__).parent.parent / "demo_questions.json").read_text())
    if "system" not in question
}
"""Greedy answers by their questions, where no system message is given."""
