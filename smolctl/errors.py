"""The errors a person can cause or meet, each with the exit code the command line ends with.

The library raises these and nothing else on purpose; it never prints and never exits. The
command line turns one into at most two lines on stderr: what failed, then what to do about it.
Anything that is not a `SmolctlError` and reaches the top is a bug in smolctl (exit code 1).
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes 10 ms to import, and this module is in everything's way
if TYPE_CHECKING:
    from typing import ClassVar


class SmolctlError(Exception):
    """Base of the tree.

    `message` says what failed, in one line, without a trailing full stop. `hint`, when there is
    one, is a full sentence that says what to do next. Neither ever contains a credential. Text
    that came from a registry or a model may be in them; the command line strips its control
    characters.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(SmolctlError):
    """The command was asked for something that makes no sense: a bad name, flag or value."""

    exit_code = 2


class InvalidReference(UsageError):
    """Text that is not a model reference."""


class InvalidGrammar(UsageError):
    """A grammar or JSON schema that is broken, not supported, or too much to follow."""


class ModelNotFound(SmolctlError):
    """No such model, tag or variant, here or in the registry."""

    exit_code = 3


class AccessDenied(SmolctlError):
    """The registry refused the credentials, or wants some."""

    exit_code = 4


class RegistryUnavailable(SmolctlError):
    """The network or the registry failed, after whatever retries there were."""

    exit_code = 5


class IntegrityError(SmolctlError):
    """Bytes that are not what their digest or size says, or a document that is malformed."""

    exit_code = 6


class NotRunnable(SmolctlError):
    """The model cannot be run here: its format, its file, or too little memory or context."""

    exit_code = 7


class InvalidGGUF(NotRunnable):
    """A file that is not a GGUF file, or whose header is broken or hostile."""


class PromptTooLong(NotRunnable):
    """A prompt that leaves no room for a reply in the context.

    `prompt_tokens` and `context_size` are both in tokens; None where nobody says.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        prompt_tokens: int | None = None,
        context_size: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.prompt_tokens = prompt_tokens
        self.context_size = context_size


class TextTooLong(NotRunnable):
    """A text longer than the context, which the model's answers to its parts do not shorten."""


class ConversationRefused(NotRunnable):
    """A conversation that the model's chat template does not take."""


class EngineBusy(NotRunnable):
    """More requests wait for the model already than may: try again later."""


class TooLittleMemory(NotRunnable):
    """What a model needs does not fit in the memory that is free."""


class StorageError(SmolctlError):
    """Local storage failed: the disk is full, or a path may not be read or written."""

    exit_code = 8


class DiskFull(StorageError):
    """There is no room on the disk for what is to be written."""


class Interrupted(SmolctlError):
    """A person or the system asked the command to stop: SIGINT ends in 130, SIGTERM in 143."""

    exit_code = 130


EXIT_CODES: dict[int, str] = {
    0: "done",
    1: "a bug in smolctl",
    2: "usage: a bad name, flag or value, a file that is not there",
    3: "no such model, tag or variant",
    4: "the registry refused the credentials, or wants some",
    5: "network or registry failure, after retries",
    6: "integrity: digest or size mismatch, damaged cache",
    7: "cannot run it: unsupported format, broken GGUF, too little memory or context",
    8: "local storage: disk full, no permission",
    130: "interrupted",
}
"""What each exit code means; the help and the README are checked against it."""
