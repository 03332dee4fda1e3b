"""The parts of the tools that write the completions and the man pages."""
