"""The demo model: a small language model of our own, and the artifact made of it."""
