"""What is wrong with a file, as an error."""

from warehouse.errors import FootfallError


class FileProblem(FootfallError):
    """A file that cannot be read at all; the message says why, without the path."""
