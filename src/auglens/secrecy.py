"""Keeps keys and passwords out of everything that a run writes: they are refused, not hidden."""

import re
from collections.abc import Iterable, Iterator, Mapping

__all__ = ["refuse_secret_config", "refuse_secrets", "secret_entries"]

# Tokens are also parts of networks, so that not every name with that word is a secret's.
SECRET_KEY = re.compile(
    r"(api_?key|secret|password|passwd|credentials?|(api|auth|access)_?(token|key))$", re.IGNORECASE
)
SECRET_VARIABLE = re.compile(
    r"\$\{\s*oc\.env\s*:\s*(\w*_)?(api_?key|key|token|secret|passw\w*|credentials?)(_\w*)?\s*[,}]",
    re.IGNORECASE,
)


def refuse_secrets(overrides: Iterable[str]) -> None:
    """Refuse a command that would write a secret into configs, records and logs.

    Args:
        overrides: ``key=value``, as on the command line.

    Raises:
        ValueError: Naming the key, never its value.
    """
    for override in overrides:
        key, _, value = override.partition("=")
        if SECRET_KEY.search(key) or SECRET_VARIABLE.search(value):
            _refuse(key)


def secret_entries(node: object, name: str = "") -> Iterator[str]:
    """Dotted names of what a config, not resolved yet, takes from a secret's variable.

    Args:
        node: Plain containers.
        name: Of the node itself.
    """
    if isinstance(node, Mapping):
        for key, value in node.items():
            own = f"{name}.{key}".lstrip(".")
            if SECRET_KEY.search(str(key)) and value is not None:
                yield own
            yield from secret_entries(value, own)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from secret_entries(value, name)
    elif isinstance(node, str) and SECRET_VARIABLE.search(node):
        yield name


def refuse_secret_config(node: object) -> None:
    """Refuse a config, not resolved yet, that holds a secret or takes one from the environment.

    Raises:
        ValueError: Naming the first key.
    """
    for key in secret_entries(node):
        _refuse(key)


def _refuse(key: str) -> None:
    raise ValueError(
        f"{key} would write a secret into the config, the record and the logs of the run. Give it "
        "in the environment, in .env or in ~/.netrc, where libraries look for it themselves."
    )
