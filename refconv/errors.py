"""What went wrong, where, and what to do about it: every error that a user may see."""


class RefconvError(Exception):
    """One clear line for the user.

    Args:
        what: what is wrong, naming the value found.
        where: the file, layer or option it was found in ("" if `what` says so).
        hint: what the user can do ("" if nothing).
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where, hint)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line} ({self.hint})" if self.hint else line


class UnreadableModel(RefconvError):
    """The model file is missing, damaged, foreign, inconsistent or refused."""


class BadInput(RefconvError):
    """An input array, option or name given by the user does not fit the model."""


class FrameworkError(RefconvError):
    """The framework is missing, died, hung or could not run the model: nothing was verified."""

    exit_code = 3
