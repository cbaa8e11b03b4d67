"""The one exception that stands for a mistake the user can mend."""


class UserError(ValueError):
    """Bad input: the message says what was received, what was expected and what to do.

    The command line prints the message alone and exits with status 1; everything else that is
    raised is a defect of the program and keeps its traceback.
    """
