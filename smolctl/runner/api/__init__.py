"""The HTTP API of a worker: OpenAI's, over one loaded model."""
