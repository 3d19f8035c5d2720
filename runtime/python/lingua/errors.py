"""What goes wrong: one class for each exit code of the program `lingua`."""


class LinguaError(Exception):
    """The message names the setting, file, field and value, and what would be accepted."""

    exit_code = 1


class UsageError(LinguaError):
    """A setting that does not exist, or contradicts another one."""

    exit_code = 2


class InputError(LinguaError):
    """A file, or a field in it, is not what it should be."""

    exit_code = 3


class InfeasibleError(LinguaError):
    """No plan fits; the message says which limit binds."""

    exit_code = 4


class WorldError(LinguaError):
    """A process or a limit of this machine."""

    exit_code = 5


def error_of(exit_code: int, message: str) -> LinguaError:
    for kind in (UsageError, InputError, InfeasibleError, WorldError):
        if kind.exit_code == exit_code:
            return kind(message)
    return LinguaError(message)
