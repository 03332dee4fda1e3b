"""What was said: conversations that go on later, and the log of prompts and replies."""
