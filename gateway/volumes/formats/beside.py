"""Files that name other files: only those of their own folder are read.

Whoever hands a file to a service must not have it read, through that file, what they may not.
"""

from pathlib import Path

from gateway.errors import FormatError


def check_beside(path: Path, named: str | Path) -> Path:
    """Return the file that another one names.

    Args:
        path: The file that names it.
        named: The name, relative to the folder of `path`.

    Raises:
        FormatError: It lies outside the folder of the file that names it, or behind a link that
            leads outside.
    """
    folder = path.parent.resolve()
    real = (folder / named).resolve()
    if not (real.is_relative_to(folder) or real == path.resolve()):
        raise FormatError(
            f"{path} names the data file {str(named)!r}, which is not in its own folder; put both "
            "into one folder, and name it without the way there"
        )
    return path.parent / named
