"""Errors that are meant for people."""


class FootfallError(Exception):
    """Something a person should read: one sentence about what happened, one about what to do next.

    `message` says what happened and to what, `next_step` what to do about it (may be empty). The command line
    prints both and ends with `exit_code` (1: it ran and failed). Neither may hold a secret.
    """

    exit_code = 1

    def __init__(self, message: str, next_step: str = "", exit_code: int | None = None) -> None:
        self.message = message
        self.next_step = next_step
        if exit_code is not None:
            self.exit_code = exit_code
        super().__init__(message, next_step)

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class UsageError(FootfallError):
    """The request makes no sense (no such file, a bad option, a setting nobody can use): exit code 2."""

    exit_code = 2
