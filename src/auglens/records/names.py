"""Names that come from files: which may be parts of paths, and how any of them can be shown."""

import re

from auglens.records.reading import RecordError

__all__ = ["plain_name", "visible", "visible_name"]

PLAIN_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
LONGEST_NAME = 100
LONGEST_TEXT = 2000


def plain_name(name: object) -> str:
    """A name that can be part of a file's name and leads to no other folder.

    Raises:
        RecordError: If it is not one word of at most 100 letters, digits, ``_``, ``-`` and ``.``.
    """
    if not isinstance(name, str) or not PLAIN_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise RecordError(f"{visible(repr(name))} is no name of a saliency method or measure.")
    return name


def visible(text: str) -> str:
    r"""Text on one line without characters that steer a terminal or cannot be written.

    >>> visible("red\x1b[31m\nline"), visible("\ud800")
    ('red\\x1b[31m line', '\\ud800')
    """
    words = " ".join(text.splitlines())
    shown = words if len(words) <= LONGEST_TEXT else f"{words[:LONGEST_TEXT]}..."
    return _escaped(shown)


def visible_name(name: str) -> str:
    r"""A name of a file as :func:`visible` text; different names stay different.

    >>> visible_name("a\nb"), visible_name("a\\nb")
    ('a\\nb', 'a\\\\nb')
    """
    return _escaped(name.replace("\\", "\\\\"))


def _escaped(text: str) -> str:
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
