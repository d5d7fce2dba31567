"""``python -m auglens.rank_process``: one further process of a training. Writes and prints nothing."""

import os
import sys
import threading
import time
import traceback

from auglens.failures import describe_failure
from auglens.startup import end_process, import_quickly

__all__ = ["main"]

POLL_S = 0.5


def main(parent: int) -> int:
    """Train along with the first process, which says on the standard input what and as which rank.

    Args:
        parent: Id of the first process; this one ends with it.

    Returns:
        The exit code; if it is 1, the last line of the standard error says why.
    """
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    fitting, ranks = map(import_quickly, ("auglens.fitting", "auglens.ranks"))
    place = ranks.Place.from_json(sys.stdin.buffer.read().decode())
    sys.path[:] = place.search_path
    try:
        fitting.train_along(place, lambda: _say(ranks.READY))
    except Exception as error:  # noqa: BLE001 - the first process hears of it
        traceback.print_exc()
        sys.stderr.write(f"{describe_failure(error, place.folder)}\n")
        return 1
    return 0


def _say(ready: bytes) -> None:
    """Tell the first process; nobody reads on, so what is printed from here on goes nowhere."""
    sys.stdout.flush()
    os.write(1, ready)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)


def _end_with(parent: int) -> None:
    """Never be left behind: the first process may be killed."""
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os._exit(0)


if __name__ == "__main__":
    end_process(main(int(sys.argv[1])))
