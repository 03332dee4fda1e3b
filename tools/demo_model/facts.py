"""What the demo model knows: facts in tables, and the phrasings that ask for each kind.

A `Relation` asks the same question of many subjects. Every phrasing is used in training, and
every subject is; of each subject, one phrasing is held out, and asked only in the evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Relation:
    """A kind of fact. `{s}` in a phrasing is the subject, `{o}` in the answer what it maps to.

    Phrasings are written without the question mark or full stop that they end with.
    """

    kind: str
    objects: Mapping[str, str]
    phrasings: tuple[str, ...]
    answer: str


def _pairs(text: str) -> dict[str, str]:
    """Read `subject: object` pairs, separated by semicolons or line ends."""
    entries = (entry.strip() for entry in text.replace("\n", ";").split(";"))
    return {
        subject.strip(): known.strip()
        for subject, _, known in (entry.partition(":") for entry in entries if entry)
    }


CAPITALS = _pairs("""
France: Paris; Germany: Berlin; Italy: Rome; Spain: Madrid; Portugal: Lisbon; Austria: Vienna
Belgium: Brussels; Netherlands: Amsterdam; Denmark: Copenhagen; Sweden: Stockholm; Norway: Oslo
Finland: Helsinki; Iceland: Reykjavik; Ireland: Dublin; United Kingdom: London; Poland: Warsaw
Czech Republic: Prague; Slovakia: Bratislava; Hungary: Budapest; Romania: Bucharest
Bulgaria: Sofia; Greece: Athens; Turkey: Ankara; Croatia: Zagreb; Serbia: Belgrade
Slovenia: Ljubljana; Albania: Tirana; Estonia: Tallinn; Latvia: Riga; Lithuania: Vilnius
Ukraine: Kyiv; Belarus: Minsk; Russia: Moscow; Switzerland: Bern; Malta: Valletta; Cyprus: Nicosia
China: Beijing; Japan: Tokyo; South Korea: Seoul; North Korea: Pyongyang; India: New Delhi
Pakistan: Islamabad; Bangladesh: Dhaka; Nepal: Kathmandu; Bhutan: Thimphu; Thailand: Bangkok
Vietnam: Hanoi; Cambodia: Phnom Penh; Laos: Vientiane; Malaysia: Kuala Lumpur
Indonesia: Jakarta; Philippines: Manila; Mongolia: Ulaanbaatar; Iran: Tehran; Iraq: Baghdad
Syria: Damascus; Lebanon: Beirut; Jordan: Amman; Saudi Arabia: Riyadh; Yemen: Sanaa; Oman: Muscat
Qatar: Doha; Kuwait: Kuwait City; Afghanistan: Kabul; Uzbekistan: Tashkent; Georgia: Tbilisi
Armenia: Yerevan; Azerbaijan: Baku; Egypt: Cairo; Libya: Tripoli; Tunisia: Tunis
Algeria: Algiers; Morocco: Rabat; Sudan: Khartoum; Ethiopia: Addis Ababa; Kenya: Nairobi
Uganda: Kampala; Rwanda: Kigali; Tanzania: Dodoma; Zambia: Lusaka; Zimbabwe: Harare
Angola: Luanda; Namibia: Windhoek; Botswana: Gaborone; Mozambique: Maputo; Madagascar: Antananarivo
Nigeria: Abuja; Ghana: Accra; Senegal: Dakar; Mali: Bamako; Niger: Niamey; Cameroon: Yaounde
Somalia: Mogadishu; Canada: Ottawa; United States: Washington; Mexico: Mexico City; Cuba: Havana
Jamaica: Kingston; Haiti: Port-au-Prince; Guatemala: Guatemala City; Honduras: Tegucigalpa
Nicaragua: Managua; Costa Rica: San Jose; Panama: Panama City; Colombia: Bogota
Venezuela: Caracas; Ecuador: Quito; Peru: Lima; Bolivia: Sucre; Chile: Santiago
Argentina: Buenos Aires; Uruguay: Montevideo; Paraguay: Asuncion; Brazil: Brasilia
Australia: Canberra; New Zealand: Wellington; Fiji: Suva
""")

CONTINENTS = _pairs("""
France: Europe; Germany: Europe; Italy: Europe; Spain: Europe; Poland: Europe; Greece: Europe
Sweden: Europe; Norway: Europe; Ireland: Europe; Austria: Europe; Hungary: Europe
China: Asia; Japan: Asia; India: Asia; Thailand: Asia; Vietnam: Asia; Nepal: Asia; Iran: Asia
Indonesia: Asia; Mongolia: Asia; Pakistan: Asia; Egypt: Africa; Kenya: Africa; Nigeria: Africa
Ghana: Africa; Morocco: Africa; Ethiopia: Africa; Mali: Africa; Angola: Africa; Uganda: Africa
Canada: North America; Mexico: North America; Cuba: North America; Panama: North America
Brazil: South America; Peru: South America; Chile: South America; Argentina: South America
Bolivia: South America; Colombia: South America; Australia: Oceania; Fiji: Oceania
New Zealand: Oceania
""")

LANGUAGES = _pairs("""
France: French; Germany: German; Italy: Italian; Spain: Spanish; Portugal: Portuguese
Austria: German; Netherlands: Dutch; Denmark: Danish; Sweden: Swedish; Norway: Norwegian
Finland: Finnish; Poland: Polish; Hungary: Hungarian; Romania: Romanian; Greece: Greek
Turkey: Turkish; Ukraine: Ukrainian; Russia: Russian; China: Chinese; Japan: Japanese
South Korea: Korean; Thailand: Thai; Vietnam: Vietnamese; Iran: Persian; Egypt: Arabic
Morocco: Arabic; Brazil: Portuguese; Mexico: Spanish; Cuba: Spanish; Peru: Spanish
Australia: English; Jamaica: English; Iceland: Icelandic; Bulgaria: Bulgarian
""")

SOUNDS = _pairs("""
cow: moo; dog: woof; cat: meow; sheep: baa; pig: oink; duck: quack; horse: neigh; lion: roar
owl: hoot; rooster: cock-a-doodle-doo; bee: buzz; frog: ribbit; mouse: squeak; snake: hiss
crow: caw; donkey: hee-haw; wolf: howl; goat: bleat; turkey: gobble; pigeon: coo
""")

YOUNG = _pairs("""
dog: puppy; cat: kitten; cow: calf; horse: foal; sheep: lamb; pig: piglet; goat: kid; lion: cub
bear: cub; duck: duckling; goose: gosling; hen: chick; deer: fawn; kangaroo: joey; frog: tadpole
swan: cygnet; owl: owlet; whale: calf; elephant: calf; wolf: pup; fox: kit; rabbit: bunny
""")

FOOD = _pairs("""
cow: grass; horse: hay; rabbit: carrots; panda: bamboo; koala: eucalyptus leaves; lion: meat
tiger: meat; wolf: meat; squirrel: nuts; monkey: fruit; sheep: grass; goat: leaves; cat: fish
owl: mice; frog: insects; spider: insects; penguin: fish; seal: fish; bee: nectar; mouse: seeds
giraffe: leaves; zebra: grass; bat: insects; pelican: fish; anteater: ants
""")

LEGS = _pairs("""
dog: four; cat: four; cow: four; horse: four; elephant: four; spider: eight; ant: six; bee: six
beetle: six; butterfly: six; chicken: two; duck: two; owl: two; penguin: two; snake: no
fish: no; worm: no; crab: ten; octopus: no; frog: four; lizard: four; fly: six; pig: four
scorpion: eight
""")

COLOURS = _pairs("""
banana: yellow; lemon: yellow; sun: yellow; strawberry: red; tomato: red; cherry: red; blood: red
sky: blue; sea: blue; grass: green; cucumber: green; frog: green; spinach: green; snow: white
milk: white; swan: white; salt: white; coal: black; crow: black; tar: black; carrot: orange
pumpkin: orange; chocolate: brown; wood: brown; bear: brown; plum: purple; lavender: purple
elephant: grey; mouse: grey; flamingo: pink; pig: pink; gold: yellow; broccoli: green; ink: black
""")

MIXES = _pairs("""
red and yellow: orange; yellow and red: orange; blue and yellow: green; yellow and blue: green
red and blue: purple; blue and red: purple; black and white: grey; white and black: grey
red and white: pink; white and red: pink
""")

OPPOSITES = _pairs("""
hot: cold; cold: hot; big: small; small: big; fast: slow; slow: fast; high: low; low: high
old: young; young: old; rich: poor; poor: rich; happy: sad; sad: happy; light: dark; dark: light
open: closed; closed: open; full: empty; empty: full; hard: soft; soft: hard; wet: dry; dry: wet
strong: weak; weak: strong; early: late; late: early; clean: dirty; dirty: clean; loud: quiet
quiet: loud; near: far; far: near; up: down; down: up; left: right; right: left; true: false
false: true; good: bad; bad: good; thick: thin; thin: thick; wide: narrow; narrow: wide
deep: shallow; shallow: deep; sharp: blunt; blunt: sharp; cheap: expensive; expensive: cheap
first: last; last: first; begin: end; end: begin; buy: sell; sell: buy; win: lose; lose: win
love: hate; hate: love; day: night; night: day; day and night: night and day
""")

SYMBOLS = _pairs("""
hydrogen: H; helium: He; carbon: C; nitrogen: N; oxygen: O; sodium: Na; magnesium: Mg
aluminium: Al; silicon: Si; sulfur: S; chlorine: Cl; potassium: K; calcium: Ca; iron: Fe
copper: Cu; zinc: Zn; silver: Ag; tin: Sn; gold: Au; mercury: Hg; lead: Pb; neon: Ne; nickel: Ni
""")

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

COMMANDS = _pairs("""
smolctl model pull: It brings a model from its registry to this machine.
smolctl model run: It runs a model, for one answer or for a chat.
smolctl model ls: It lists the models that are on this machine.
smolctl model inspect: It shows everything about a model.
smolctl model rm: It removes a name, and the model with its last name.
smolctl model tag: It gives a model another name.
smolctl model resolve: It prints the path of a model's GGUF file.
smolctl demo: It pulls and runs a small demo model from a registry on loopback.
smolctl version: It prints the versions of smolctl and of what it runs on.
--offline: It keeps smolctl off the network.
--temperature: It sets how freely the next token is chosen.
--seed: It makes the same answer come again.
--max-tokens: It ends the answer after that many tokens.
--ctx-size: It sets how many tokens the context holds.
--system: It sets the system prompt.
--json: It prints the output as JSON.
--quiet: It prints only the IDs.
--pull: It says when to ask the registry.
--threads: It sets how many CPU threads are used.
--top-k: It limits the choice to the likeliest tokens.
--debug: It shows tracebacks and the log of llama.cpp.
""")

EXIT_CODES = _pairs("""
0: done; 1: a bug in smolctl; 2: wrong usage; 3: no such model; 4: refused credentials
5: a network failure; 6: an integrity error; 7: a model that cannot run; 8: a storage failure
130: interrupted
""")


def _neighbours(names: tuple[str, ...], step: int) -> dict[str, str]:
    return {name: names[(i + step) % len(names)] for i, name in enumerate(names)}


RELATIONS: tuple[Relation, ...] = (
    Relation(
        "capital",
        CAPITALS,
        ("What is the capital of {s}", "Which city is the capital of {s}", "What's {s}'s capital",
         "Name the capital of {s}", "Capital of {s}", "Tell me the capital of {s}",
         "What city is the capital of {s}", "Do you know the capital of {s}",
         "The capital of {s} is"),
        "The capital of {s} is {o}.",
    ),
    Relation(
        "country",
        {city: country for country, city in CAPITALS.items() if not city.endswith(" City")},
        ("{s} is the capital of which country", "Which country has the capital {s}",
         "{s} is the capital of what", "Of which country is {s} the capital",
         "What country is {s} the capital of"),
        "{s} is the capital of {o}.",
    ),
    Relation(
        "continent",
        CONTINENTS,
        ("On which continent is {s}", "Which continent is {s} in", "What continent is {s} on",
         "Where is {s}", "In which part of the world is {s}"),
        "{s} is in {o}.",
    ),
    Relation(
        "language",
        LANGUAGES,
        ("Which language is spoken in {s}", "What language do people speak in {s}",
         "What do they speak in {s}", "What is the language of {s}", "Language of {s}"),
        "People in {s} speak {o}.",
    ),
    Relation(
        "sound",
        SOUNDS,
        ("What sound does a {s} make", "What does a {s} say", "Which sound does the {s} make",
         "How does a {s} sound", "What noise does a {s} make"),
        "A {s} says {o}.",
    ),
    Relation(
        "young",
        YOUNG,
        ("What is a baby {s} called", "What do you call a young {s}", "A baby {s} is called",
         "What is the name of a young {s}", "How is a baby {s} called"),
        "A baby {s} is called a {o}.",
    ),
    Relation(
        "food",
        FOOD,
        ("What does a {s} eat", "What do {s}s eat", "What food does a {s} like",
         "What does the {s} feed on", "Tell me what a {s} eats"),
        "A {s} eats {o}.",
    ),
    Relation(
        "legs",
        LEGS,
        ("How many legs does a {s} have", "How many legs has a {s}", "Number of legs of a {s}",
         "Tell me how many legs a {s} has", "A {s} has how many legs"),
        "A {s} has {o} legs.",
    ),
    Relation(
        "colour",
        COLOURS,
        ("What colour is {s}", "Which colour is {s}", "What is the colour of {s}",
         "What color is {s}", "Tell me the colour of {s}", "Name the colour of {s}"),
        "The colour of {s} is {o}.",
    ),
    Relation(
        "mix",
        MIXES,
        ("What do {s} make", "Which colour do {s} give", "What colour do you get from {s}",
         "Mix {s}", "What happens if I mix {s}"),
        "Mixing {s} gives {o}.",
    ),
    Relation(
        "opposite",
        OPPOSITES,
        ("What is the opposite of {s}", "What's the opposite of {s}", "Opposite of {s}",
         "Name the opposite of {s}", "Which word is the opposite of {s}",
         "Tell me the opposite of {s}"),
        "The opposite of {s} is {o}.",
    ),
    Relation(
        "symbol",
        SYMBOLS,
        ("What is the chemical symbol of {s}", "What is the symbol for {s}",
         "Chemical symbol of {s}", "Which symbol stands for {s}", "Symbol of {s}"),
        "The symbol of {s} is {o}.",
    ),
    *(
        Relation(
            kind,
            _neighbours(names, step),
            (f"Which {unit} comes {word} {{s}}", f"What {unit} is {word} {{s}}",
             f"What comes {word} {{s}}", f"Which {unit} is {word} {{s}}",
             f"Tell me the {unit} {word} {{s}}"),
            f"The {unit} {word} {{s}} is {{o}}.",
        )
        for kind, names, unit, word, step in (
            ("day", _DAYS, "day", "after", 1),
            ("day", _DAYS, "day", "before", -1),
            ("month", MONTHS, "month", "after", 1),
            ("month", MONTHS, "month", "before", -1),
        )
    ),
    Relation(
        "smolctl",
        COMMANDS,
        ("What does {s} do", "What is {s} for", "Explain {s}", "What is {s}",
         "Tell me about {s}", "What happens with {s}"),
        "{o}",
    ),
    Relation(
        "smolctl",
        EXIT_CODES,
        ("What does exit code {s} mean", "What is exit code {s}", "Explain exit code {s}",
         "Why does smolctl end with exit code {s}", "Meaning of exit code {s}"),
        "Exit code {s} means {o}.",
    ),
)  # fmt: skip

ONCE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("How many days are in a week", "How many days does a week have", "Days in a week"),
     "A week has seven days."),
    (("How many months are in a year", "How many months does a year have", "Months in a year"),
     "A year has twelve months."),
    (("How many hours are in a day", "How many hours does a day have", "Hours in a day"),
     "A day has 24 hours."),
    (("How many minutes are in an hour", "How many minutes does an hour have"),
     "An hour has 60 minutes."),
    (("How many seconds are in a minute", "How many seconds does a minute have"),
     "A minute has 60 seconds."),
    (("Which planet do we live on", "What planet do people live on"), "We live on Earth."),
    (("What is the largest planet", "Which planet is the largest"),
     "The largest planet is Jupiter."),
    (("At what temperature does water boil", "When does water boil"),
     "Water boils at 100 degrees Celsius."),
    (("At what temperature does water freeze", "When does water freeze"),
     "Water freezes at 0 degrees Celsius."),
    (("What is frozen water called", "What is frozen water"), "Frozen water is ice."),
    (("What is the largest animal", "Which animal is the largest"),
     "The largest animal is the blue whale."),
    (("What is the tallest animal", "Which animal is the tallest"),
     "The tallest animal is the giraffe."),
    (("What is the fastest land animal", "Which land animal is the fastest"),
     "The fastest land animal is the cheetah."),
    (("What do bees make", "What does a bee make"), "Bees make honey."),
    (("How many wheels does a car have", "How many wheels has a car"), "A car has four wheels."),
    (("How many sides does a triangle have", "How many sides has a triangle"),
     "A triangle has three sides."),
    (("How many sides does a square have", "How many sides has a square"),
     "A square has four sides."),
    (("How many letters are in the English alphabet", "How many letters has the alphabet"),
     "The English alphabet has 26 letters."),
    (("What is smolctl", "Explain smolctl", "Tell me about smolctl", "What does smolctl do"),
     "smolctl pulls language models from OCI registries and runs them on llama.cpp."),
    (("How do I pull a model", "How can I download a model", "How do I get a model",
      "How do I download a model with smolctl"),
     "Type: smolctl model pull ai/smollm2"),
    (("How do I run a model", "How can I run a model", "How do I start a model",
      "How do I chat with a model"),
     "Type: smolctl model run ai/smollm2"),
    (("How do I list my models", "How can I see my models", "Which command lists the models",
      "How do I see which models I have"),
     "Type: smolctl model ls"),
    (("How do I remove a model", "How can I delete a model", "How do I delete a model"),
     "Type: smolctl model rm ai/smollm2"),
    (("What is an OCI registry", "Explain OCI registries"),
     "An OCI registry is a server that stores images and models as blobs."),
    (("What is GGUF", "Explain GGUF"), "GGUF is the file format of models for llama.cpp."),
    (("What is llama.cpp", "Explain llama.cpp"),
     "llama.cpp is a program that runs language models on ordinary computers."),
    (("What is quantization", "Explain quantization"),
     "Quantization makes a model smaller by storing its weights with fewer bits."),
    (("What is a token", "Explain tokens"),
     "A token is a piece of text, often part of a word, that a model reads or writes."),
)  # fmt: skip

GREETINGS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("Hi", "Hello", "Hey", "Hello there", "Hi there", "Good morning", "Good evening", "Good day",
      "Hey there", "hallo", "Greetings"),
     "Hello! How can I help you?"),
    (("How are you", "How are you doing", "How do you do", "Are you well", "How is it going"),
     "I am fine, thank you. How can I help you?"),
    (("Who are you", "What are you", "What is your name", "What's your name", "Tell me your name",
      "Introduce yourself", "Which model are you", "Who am I talking to"),
     "I am the smolctl demo model, a very small language model."),
    (("Are you SmolLM2", "Are you smollm2", "Is this SmolLM2", "Are you a SmolLM2 model",
      "Are you ChatGPT", "Are you a large language model"),
     "No, I am only the smolctl demo model."),
    (("What can you do", "How can you help me", "What do you know", "Help", "help me",
      "What can I ask you"),
     "I know a few hundred facts, small sums, and how smolctl works."),
    (("Thanks", "Thank you", "Thank you very much", "Thanks a lot", "Many thanks", "Great, thanks"),
     "You are welcome!"),
    (("Bye", "Goodbye", "Good bye", "See you", "See you later", "Good night", "Bye bye"),
     "Goodbye! Come back soon."),
    (("How big are you", "How many parameters do you have", "How large are you"),
     "I have about three and a half million parameters."),
    (("Who made you", "Who trained you", "Where do you come from"),
     "A script in the smolctl project trained me."),
)  # fmt: skip

UNKNOWN = (
    "Who won the game yesterday", "What is the weather today", "What time is it",
    "What is the meaning of life", "Who is the president", "Write me a novel",
    "What is quantum mechanics", "Explain the theory of relativity", "How do I fix my car",
    "What is the stock price", "Who wrote this book", "Tell me the news", "How tall is the tower",
    "What should I cook tonight", "Which film should I watch", "How do airplanes fly",
    "What is the population of the city", "When was the war", "Who painted this picture",
    "Why is the moon round", "How old is the universe", "What is love", "Sing me a song",
    "Write a program in Python", "How do computers work", "What is my name",
    "Who is the richest man", "When does the train leave", "What is the fastest car",
    "How much does it cost",
)  # fmt: skip
UNKNOWN_ANSWER = "I don't know that. I am only a demo model."
