"""Pull language models packaged as OCI artifacts, and run them on llama.cpp."""

__version__ = "0.1.0"
