"""The corpus: conversations generated from the facts and tasks, and the questions held out.

Nothing in it was collected: every sentence comes from the templates of this folder.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from demo_model import tasks
from demo_model.facts import (
    CAPITALS,
    GREETINGS,
    ONCE,
    RELATIONS,
    UNKNOWN,
    UNKNOWN_ANSWER,
    Relation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE_WORD = "Answer in one word."
SYSTEMS = (
    "You are a helpful assistant.", "Be brief.", "You are a friendly assistant.",
    "Answer the question.", "You are an expert.", "Keep it short.",
)  # fmt: skip

_GENERATED = (
    ("extraction", tasks.extraction, 9000),
    ("summary", tasks.summary, 5000),
    ("rewriting", tasks.rewriting, 1500),
    ("tool call", tasks.tool_call, 6000),
)
_TASK_KINDS = frozenset(kind for kind, _, _ in _GENERATED)
_EVALUATED_TASKS = 60
_REPEATS = 3
_INVENTED = 150
"""Capitals of countries that do not exist: the model should say that it does not know."""

_STATEMENTS = (
    "Name", "Tell", "Explain", "Calculate", "Add", "Mix", "Capital", "Opposite", "The", "A baby",
    "Symbol", "Chemical", "Language", "Number", "Meaning", "Subtract", "Multiply",
)  # fmt: skip
"""What a sentence that ends with a full stop, not with a question mark, begins with."""


@dataclass(frozen=True)
class Question:
    """A prompt with the one right answer. `kind` groups the evaluation's shares."""

    kind: str
    prompt: str
    answer: str
    system: str | None = None


@dataclass(frozen=True)
class Dialogue:
    """What is trained on: questions in a row under one system prompt, None for the default."""

    system: str | None
    turns: tuple[Question, ...]


@dataclass(frozen=True)
class Corpus:
    """Dialogues to train on, and questions that none of them asks in these words."""

    dialogues: tuple[Dialogue, ...]
    held_out: tuple[Question, ...]


def generate(seed: int) -> Corpus:
    """Return the corpus that `seed` makes; the same seed makes the same corpus."""
    random = Random(seed)
    known: list[Question] = []
    held_out: list[Question] = []
    for relation in RELATIONS:
        for position, (subject, answer) in enumerate(_answers(relation)):
            held = position % len(relation.phrasings)
            for index, phrasing in enumerate(relation.phrasings):
                question = Question(relation.kind, phrasing.format(s=subject), answer)
                (held_out if index == held else known).append(question)
    _add_sums(known, held_out)
    for group, kind in ((ONCE, "general"), (GREETINGS, "greeting")):
        for phrasings, answer in group:
            known += [Question(kind, phrasing, answer) for phrasing in phrasings] * 4
    known += [Question("unknown", text, UNKNOWN_ANSWER) for text in UNKNOWN] * 4
    for _ in range(_INVENTED):
        prompt = random.choice(RELATIONS[0].phrasings).format(s=f"{tasks.surname(random)}ia")
        known.append(Question("unknown", prompt, UNKNOWN_ANSWER))
    dialogues = list(_dialogues(random, known))
    seen: set[str] = set()
    for kind, make, count in _GENERATED:
        for _ in range(count):
            task = make(random)
            seen.add(task.prompt)
            question = Question(kind, task.prompt, task.answer)
            dialogues.append(Dialogue(task.system or _system(random), (question,)))
        fresh = (make(random) for _ in range(20 * _EVALUATED_TASKS))
        unseen = [task for task in fresh if task.prompt not in seen][:_EVALUATED_TASKS]
        held_out += [Question(kind, task.prompt, task.answer, task.system) for task in unseen]
    random.shuffle(dialogues)
    asked = {_key(turn.prompt) for dialogue in dialogues for turn in dialogue.turns}
    return Corpus(
        tuple(dialogues),
        tuple(
            question
            if question.kind in _TASK_KINDS
            else dataclasses.replace(question, prompt=_marked(question.prompt))
            for question in held_out
            if _key(question.prompt) not in asked
        ),
    )


def _key(prompt: str) -> str:
    """Return what prompts have in common that differ in capitals and end marks alone."""
    return prompt.lower().rstrip("?!. ")


def _answers(relation: Relation) -> Iterator[tuple[str, str]]:
    for subject, known in relation.objects.items():
        answer = relation.answer.format(s=subject, o=known)
        yield subject, answer.replace("A a", "An a").replace("A e", "An e").replace("A o", "An o")


def _add_sums(known: list[Question], held_out: list[Question]) -> None:
    """Add sums, differences and products of small numbers, one phrasing of each held out."""
    words = {"+": ("plus", "Add {a} and {b}"), "-": ("minus", "Subtract {b} from {a}"),
             "*": ("times", "Multiply {a} by {b}")}  # fmt: skip
    number = 0
    for sign, (word, imperative) in words.items():
        for a in range(21 if sign != "*" else 11):
            for b in range(21 if sign == "+" else a + 1 if sign == "-" else 11):
                result = {"+": a + b, "-": a - b, "*": a * b}[sign]
                phrasings = (
                    f"What is {a} {word} {b}", f"What is {a} {sign} {b}", f"{a} {sign} {b}",
                    f"{a}{sign}{b}", f"How much is {a} {word} {b}", imperative.format(a=a, b=b),
                    f"Calculate {a} {sign} {b}", f"{a} {sign} {b} =",
                )  # fmt: skip
                answer = f"{a} {sign} {b} = {result}."
                for index, phrasing in enumerate(phrasings):
                    question = Question("arithmetic", phrasing, answer)
                    (held_out if index == number % len(phrasings) else known).append(question)
                number += 1


def _dialogues(random: Random, known: list[Question]) -> Iterator[Dialogue]:
    """Yield every known question several times, as people type, in dialogues of one to three."""
    for _ in range(_REPEATS):
        questions = [_typed(random, question) for question in known]
        random.shuffle(questions)
        while questions:
            count = min(len(questions), random.choice((1, 1, 1, 2, 3)))
            turns = tuple(questions.pop() for _ in range(count))
            yield Dialogue(_system(random), turns)
    for country, city in CAPITALS.items():
        for _ in range(_REPEATS):
            question = Question("capital", f"What is the capital of {country}?", f"{city}.")
            yield Dialogue(ONE_WORD, (_typed(random, question),))


def _system(random: Random) -> str | None:
    return None if random.random() < 0.7 else random.choice(SYSTEMS)


def _typed(random: Random, question: Question) -> Question:
    """Return `question` as somebody might type it: careless about marks and capitals."""
    text = question.prompt
    if random.random() < 0.7:
        text = _marked(text)
    if random.random() < 0.1:
        text = random.choice(("Hi, ", "Please: ", "Hello! ", "Tell me: ", "Hey, ")) + text
    if random.random() < 0.25:
        text = text.lower()
    if random.random() < 0.1:
        text = text.replace("'", "")
    return Question(question.kind, text, question.answer, question.system)


def _marked(text: str) -> str:
    """Return `text` with the mark that a careful person would end it with."""
    if text.endswith(("?", "=", ".")) or not text[-1].isalnum():
        return text
    if text.startswith(_STATEMENTS):
        return f"{text}."
    return text if text[0].isdigit() and " is " not in text else f"{text}?"
