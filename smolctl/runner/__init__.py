"""The runner: one worker process for each loaded model, its HTTP API, and who talks to it."""
