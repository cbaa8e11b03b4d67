"""The exception for a mistake that the user can correct."""


class UserError(ValueError):
    """Bad input; the message names what was received, what was expected and what to do.

    The command line prints the message alone and exits with status 1. Every other exception is a
    defect of the program and keeps its traceback.
    """
