from pathlib import Path

from auglens.study import build_study
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import write_sweep, write_trusted_sweep
from tests.study.html_page import Page
from tests.study.planted_sweep import write_planted


def page_of(sweep: Path) -> str:
    return Page(build_study([sweep], out=sweep, **MEASURING).report).text


def test_what_is_lacking_comes_with_its_command(tmp_path: Path) -> None:
    text = page_of(write_sweep(tmp_path / "sweep", augments=("crop", "none"), seeds=(0,)))
    reuse = f"'reuse=[{tmp_path / 'sweep'}]'"
    assert f"python train.py -m experiment=seeds {reuse}" in text
    assert f"python train.py -m experiment=strength {reuse}" in text
    assert "measures=[untrained,equivariance,affinity_diversity]" in text


def test_what_is_there_is_not_asked_for(tmp_path: Path) -> None:
    strengths = (0.5, 1.0, 2.0)
    text = page_of(
        write_planted(
            tmp_path / "a", augments=("crop", "blur", "none"), seeds=6, strengths=strengths
        )
    )
    assert "train.py -m experiment=seeds" not in text
    assert "train.py -m experiment=strength" not in text
    measured = page_of(write_trusted_sweep(tmp_path / "b"))
    assert "measures=[untrained" not in measured
