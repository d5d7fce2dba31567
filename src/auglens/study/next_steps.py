"""What would let more be told: the commands for what a group's runs lack."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from auglens.study.evidence import Evidence
from auglens.study.methods import explain_command
from auglens.study.verdicts.verdict import FEWEST_SEEDS

__all__ = ["next_steps"]

NEEDED = ("untrained", "equivariance", "affinity_diversity")


def next_steps(evidence: Evidence, sweeps: Sequence[Path]) -> list[tuple[str, str]]:
    """Reasons with the commands that mend them, in the order in which they help.

    Args:
        evidence: Of one group.
        sweeps: The folders it was made from.
    """
    steps = []
    reuse = f"reuse=[{','.join(map(str, sweeps))}]"
    if evidence.num_seeds < FEWEST_SEEDS:
        steps.append(("more seeds", _train("experiment=seeds", reuse)))
    if evidence.tables["associations"].empty:
        steps.append(("strengths", _train("experiment=strength", reuse)))
    taken = {one.measure for own in evidence.results.values() for one in own}
    lacking = [name for name in NEEDED if name not in taken]
    if lacking and evidence.main_method is not None:
        methods = [evidence.main_method]
        command = explain_command(sweeps, methods=methods, measures=lacking)
        steps.append((f"the measures {', '.join(lacking)}", command))
    return steps


def _train(*words: str) -> str:
    return shlex.join(["python", "train.py", "-m", *words])
