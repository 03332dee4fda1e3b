"""llama.cpp in this process: loading, chat templates, sampling, generation."""
