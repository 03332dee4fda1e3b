"""Train the demo model from scratch and write it as a GGUF file.

Needs the project's `train` extra and about half an hour on two cores:

    pip install -e '.[train]'
    python tools/train_demo_model.py --output smolctl/demo/smolctl-demo-F16.gguf

Ends with the share of right greedy answers to questions that were held out of training, from the
F16 file and from its Q4_K_M quantization. `--evaluate-only` does that alone.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

from demo_model import corpus
from demo_model.evaluation import evaluate, report

from smolctl.engine.quantize import quantize
from smolctl.model.units import format_count

VOCABULARY = 1536


def main() -> None:
    """Do what the command line says."""
    arguments = _arguments()
    conversations = corpus.generate(arguments.seed)
    print(f"{len(conversations.dialogues)} dialogues, {len(conversations.held_out)} held out")
    if not arguments.evaluate_only:
        _train(conversations, arguments)
    with TemporaryDirectory() as folder:
        quantized = Path(folder) / "Q4_K_M.gguf"
        quantize(arguments.output, quantized, "Q4_K_M")
        for title, path in (("F16", arguments.output), ("Q4_K_M", quantized)):
            report(title, evaluate(path, conversations.held_out), mistakes=arguments.mistakes)


def _train(conversations: corpus.Corpus, arguments: argparse.Namespace) -> None:
    from demo_model.export import write_gguf
    from demo_model.network import Geometry, count
    from demo_model.tokenizer import encode, train_tokenizer
    from demo_model.training import Schedule, train

    tokenizer = train_tokenizer(conversations.dialogues, VOCABULARY)
    geometry = Geometry(tokenizer.get_vocab_size())
    encoded = [encode(tokenizer, dialogue) for dialogue in conversations.dialogues]
    print(f"{sum(len(item.tokens) for item in encoded)} tokens in the corpus")
    schedule = dataclasses.replace(Schedule(), steps=arguments.steps or Schedule.steps)
    for parameters in train(encoded, geometry, schedule, arguments.seed):
        size = format_count(count(parameters))
        write_gguf(arguments.output, parameters, tokenizer, geometry, size)
        print(f"{size} parameters, {arguments.output.stat().st_size} bytes in {arguments.output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, required=True, help="the GGUF file to write")
    parser.add_argument("--steps", type=int, help="training steps; the schedule's by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate-only", action="store_true", help="the file is there already")
    parser.add_argument("--mistakes", type=int, default=10, help="wrong answers to print")
    return parser.parse_args()


if __name__ == "__main__":
    main()
