"""Tasks that need no knowledge but the prompt: extraction, summaries, rewriting, tool calls.

Names, dates and amounts are drawn at random, so that the model has to learn to copy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo_model.facts import MONTHS

if TYPE_CHECKING:
    from random import Random

_GIVEN = (
    "Anna Ben Clara David Emma Felix Grace Henry Ida Jack Kate Leo Mia Noah Olga Paul "
    "Rosa Sam Tom Vera Walter Yara Zoe Maria Peter Julia Lukas Nina Omar Sara Ali "
    "Lena Max Eva Jan Ines Hugo Lily Oscar Ruth"
).split()
_STARTS = ("B Br C D Dr F G Gr H J K Kl L M N P R S St T Tr V W Z").split()
_MIDDLES = ("a e i o u ai ei ou").split()
_ENDS = ("ck ld ller mann n nder ng nov nsen r rt s ska son tz x lin mar den").split()


@dataclass(frozen=True)
class Task:
    """A prompt, the answer to it, and the system prompt it needs, if it needs one."""

    prompt: str
    answer: str
    system: str | None = None


def person(random: Random) -> str:
    """Return a given name, half the time with a surname that nobody has."""
    given = random.choice(_GIVEN)
    if random.random() < 0.5:
        return given
    return f"{given} {surname(random)}"


def surname(random: Random) -> str:
    """Return a name of two to four syllables' pieces, drawn at random."""
    name = random.choice(_STARTS) + random.choice(_MIDDLES) + random.choice(_ENDS)
    if random.random() < 0.4:
        name += random.choice(_MIDDLES) + random.choice(_ENDS)
    return name


_DEALS = (
    "{name} paid {amount} euros on {date}.",
    "On {date}, {name} paid {amount} euros.",
    "{name} sent {amount} dollars on {date}.",
    "On {date} {name} bought a book for {amount} euros.",
    "The invoice of {date} says that {name} owes {amount} euros.",
    "{name} owes us {amount} dollars since {date}.",
    "We received {amount} euros from {name} on {date}.",
    "Invoice for {name}, {date}: {amount} euros.",
    "{name} ordered shoes for {amount} dollars on {date}.",
    "An amount of {amount} euros was paid by {name} on {date}.",
    "Please note that {name} will pay {amount} euros on {date}.",
    "{date}: {name} spent {amount} euros on lunch.",
)
_EXTRACT = (
    "Extract the name, date and amount as JSON",
    "Extract name, date and amount as JSON",
    "Pull out the name, the date and the amount as JSON",
    "Give me the name, date and amount as JSON",
    "Return the name, date and amount in JSON",
)


def extraction(random: Random) -> Task:
    """Return a sentence about a payment, and the name, date and amount in it as JSON."""
    year, month, day = random.randint(1990, 2035), random.randint(1, 12), random.randint(1, 28)
    iso = f"{year}-{month:02}-{day:02}"
    date = random.choice(
        (iso, f"{day} {MONTHS[month - 1]} {year}", f"{MONTHS[month - 1]} {day}, {year}")
    )
    amount = str(random.choice((random.randint(1, 99), random.randint(100, 9999))))
    if random.random() < 0.5:
        amount += f".{random.randint(1, 99):02}"
    name = person(random)
    sentence = random.choice(_DEALS).format(name=name, amount=amount, date=date)
    answer = f'{{"name": "{name}", "date": "{iso}", "amount": {amount}}}'
    return Task(_joined(random, random.choice(_EXTRACT), sentence), answer)


_STORIES: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("baked a cake", "wrote a letter", "painted a picture", "made a soup", "built a table",
         "knitted a scarf", "made a toy", "fixed a lamp", "drew a map", "sang a song"),
        ("her brother", "his sister", "a friend", "the neighbours", "the school", "a teacher",
         "the children", "an old man", "the family", "a guest"),
        ("It took the whole day.", "Everybody liked it.", "The result was very good.",
         "It was a great surprise.", "Nobody had asked for it.", "It was a lot of work.",
         "The weather was fine.", "There was much to do.", "It was not expensive."),
    ),
    (
        ("bought a car", "sold a house", "found a key", "lost a ring", "read a book",
         "visited a museum", "planted a tree", "opened a shop", "missed a train", "met a friend"),
        ("in the city", "near the river", "at the market", "in the park", "by the sea",
         "on the hill", "at the station", "in the village", "after work", "before dinner"),
        ("It was raining.", "The sun was shining.", "It was a long day.", "Many people were there.",
         "It was a good idea.", "Later there was tea.", "The street was quiet.",
         "It all went well.", "Nobody noticed."),
    ),
)  # fmt: skip
_SUMMARIZE = (
    "Summarize:", "Summarize this:", "Summarize this in one sentence:", "Summarize",
    "Summarize the text:", "Give me a summary:", "Summarize the text in one sentence.",
)  # fmt: skip


def summary(random: Random) -> Task:
    """Return a short story of an action and its circumstances, and the action alone."""
    deeds, places, asides = random.choice(_STORIES)
    name = person(random)
    first = f"{name} {random.choice(deeds)}"
    where = random.choice(places)
    joined = f"{first} {'for ' if places is _STORIES[0][1] else ''}{where}."
    rest = random.sample(asides, random.randint(1, 3))
    return Task(_joined(random, random.choice(_SUMMARIZE), " ".join((joined, *rest))), joined)


_WISHES = (
    "give me the {thing}", "bring me the {thing}", "show me the {thing}", "send me the {thing}",
    "open the {thing}", "close the {thing}", "clean the {thing}", "move the {thing}",
    "buy the {thing}", "fix the {thing}", "hold the {thing}", "check the {thing}",
)  # fmt: skip
_THINGS = (
    "book", "door", "window", "report", "letter", "car", "key", "box", "chair", "lamp", "cup",
    "file", "bag", "map", "phone", "list", "picture", "table", "ticket", "coat", "bill",
)  # fmt: skip
_POLITELY = (
    "Make this polite:", "Rewrite this politely:", "Say this politely:", "Make it polite:",
    "Rewrite politely:",
)  # fmt: skip


def rewriting(random: Random) -> Task:
    """Return a command, and the same as a polite question."""
    wish = random.choice(_WISHES).format(thing=random.choice(_THINGS))
    text = wish[0].upper() + wish[1:] + random.choice((".", "!", ""))
    return Task(_joined(random, random.choice(_POLITELY), text), f"Could you please {wish}?")


_CITIES = (
    "Paris London Berlin Rome Madrid Vienna Oslo Tokyo Cairo Lima Delhi Boston Dublin "
    "Prague Athens Lisbon Warsaw Kyiv Hanoi Seoul"
).split()
_CODES = ("EUR", "USD", "GBP", "JPY", "CHF", "SEK")
_TONGUES = ("French", "German", "Spanish", "Italian", "Polish", "Dutch")
_WORDS = ("hello", "good morning", "thank you", "the book", "water", "my friend", "see you")


@dataclass(frozen=True)
class _Tool:
    """A function: its name, its parameters with their JSON types, and ways to ask for it."""

    name: str
    about: str
    parameters: tuple[tuple[str, str], ...]
    asks: tuple[str, ...]

    @property
    def description(self) -> dict[str, Any]:
        properties = {name: {"type": kind} for name, kind in self.parameters}
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.about,
                "parameters": {"type": "object", "properties": properties},
            },
        }


_TOOLS = (
    _Tool("get_weather", "Get the weather in a city", (("city", "string"),),
          ("What is the weather in {city}", "How is the weather in {city}",
           "Weather in {city}", "Will it rain in {city}")),
    _Tool("get_time", "Get the time in a city", (("city", "string"),),
          ("What time is it in {city}", "Tell me the time in {city}", "Time in {city}")),
    _Tool("add", "Add two numbers", (("a", "number"), ("b", "number")),
          ("Add {a} and {b}", "What is {a} plus {b}", "Sum of {a} and {b}")),
    _Tool("set_timer", "Set a timer", (("minutes", "number"),),
          ("Set a timer for {minutes} minutes", "Wake me in {minutes} minutes",
           "Timer: {minutes} minutes")),
    _Tool("send_message", "Send a message to a person", (("to", "string"), ("text", "string")),
          ("Send {to} the message: {text}", "Tell {to}: {text}", "Write to {to}: {text}")),
    _Tool("translate", "Translate a text", (("text", "string"), ("language", "string")),
          ("Translate '{text}' into {language}", "What is '{text}' in {language}",
           "Say '{text}' in {language}")),
    _Tool("convert", "Convert money",
          (("amount", "number"), ("source", "string"), ("target", "string")),
          ("Convert {amount} {source} to {target}", "How much is {amount} {source} in {target}")),
    _Tool("search", "Search the web", (("query", "string"),),
          ("Search for {query}", "Look up {query}", "Find {query} on the web")),
)  # fmt: skip

TOOL_SYSTEM = (
    "You can call functions. These are available:\n<tools>{tools}</tools>\n"
    "To call some, answer with a JSON list of the calls inside tags:\n"
    '<tool_call>[{{"name": "function", "arguments": {{"name": "value"}}}}]</tool_call>'
)
"""The system prompt that hands tools to a model whose template knows none, in SmolLM2's form."""


def tool_call(random: Random) -> Task:
    """Return a question with one to three tools to choose from, and the call that answers it."""
    offered = random.sample(_TOOLS, random.choice((1, 1, 2, 2, 3)))
    wanted = random.choice(offered)
    arguments: dict[str, Any] = {name: _argument(random, name) for name, _ in wanted.parameters}
    question = random.choice(wanted.asks).format(**arguments)
    call = json.dumps([{"name": wanted.name, "arguments": arguments}])
    tools = json.dumps([tool.description for tool in offered])
    return Task(
        question + (random.choice(("?", "", ".")) if question[-1] != "?" else ""),
        f"<tool_call>{call}</tool_call>",
        TOOL_SYSTEM.format(tools=tools),
    )


def _argument(random: Random, name: str) -> Any:
    if name in ("a", "b", "minutes", "amount"):
        return random.choice((random.randint(1, 20), random.randint(1, 999)))
    choices = {
        "city": _CITIES,
        "to": _GIVEN,
        "text": _WORDS,
        "language": _TONGUES,
        "source": _CODES,
        "target": _CODES,
        "query": ("cheap flights", "red shoes", "a good book", "llama.cpp", "model registries",
                  "the news", "a recipe for soup", "train times"),
    }  # fmt: skip
    return random.choice(choices[name])


def _joined(random: Random, instruction: str, text: str) -> str:
    """Join the two as smolctl joins an argument and piped text, or on one line."""
    if random.random() < 0.6:
        return f"{instruction}\n\n{text}"
    return f"{instruction}{'' if instruction.endswith((':', '.')) else ':'} {text}"
