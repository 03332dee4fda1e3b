"""The parts of `tools/train_demo_model.py`: corpus, tokenizer, network, training, export."""
