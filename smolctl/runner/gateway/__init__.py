"""The gateway: one address over TCP for all models, each answered by its own worker."""
