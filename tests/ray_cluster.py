"""A Ray cluster of two nodes on loopback, for the tests; ended by process id."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

__all__ = ["two_nodes"]

# Ray takes 127.0.0.1 for the machine's outer address.
HEAD, SECOND = "127.0.0.2", "127.0.0.3"
CURRENT = Path("/tmp/ray/ray_current_cluster")
RAY = Path(sys.executable).with_name("ray")
# A driver of a cluster with tokens has to say that it has one.
ENVIRONMENT = {"RAY_AUTH_MODE": "token", "RAY_DEDUP_LOGS": "0"}


@contextmanager
def two_nodes(logs: Path) -> Iterator[str]:
    """Start the head and a second node, with two CPUs each.

    Args:
        logs: Where Ray's own output goes.

    Yields:
        The cluster's address.
    """
    address = f"{HEAD}:6391"
    head = ("--head", "--port=6391", f"--node-ip-address={HEAD}", "--include-dashboard=false")
    second = (f"--address={address}", f"--node-ip-address={SECOND}")
    nodes: list[subprocess.Popen[bytes]] = []
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        for name, words in (("head", head), ("second", second)):
            log = logs / f"{name}.log"
            nodes.append(_start(words, log))
            _wait_until_started(nodes[-1], log)
        yield address
    finally:
        for node in reversed(nodes):
            _end(node)
        # Ray would look for the cluster there, in vain, before it starts another.
        CURRENT.unlink(missing_ok=True)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _start(words: tuple[str, ...], log: Path) -> subprocess.Popen[bytes]:
    command = [str(RAY), "start", *words, "--num-cpus=2", "--disable-usage-stats", "--block"]
    with log.open("wb") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)


def _wait_until_started(node: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while "Ray runtime started" not in log.read_text():
        assert node.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def _end(node: subprocess.Popen[bytes]) -> None:
    """End a node with all its processes."""
    children = psutil.Process(node.pid).children(recursive=True) if node.poll() is None else []
    node.terminate()
    try:
        node.wait(60)
    except subprocess.TimeoutExpired:
        node.kill()
    for child in psutil.wait_procs(children, timeout=20)[1]:
        child.kill()
