"""A run that is loaded is the run that was trained."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from auglens.explain import load_run
from auglens.records.maps import read_probe
from auglens.records.run import RecordError, run_folders
from auglens.saliency.attribution import saliency_maps
from auglens.saliency.gradients import Gradient
from auglens.seeding import Role, role_generator
from auglens.trust import UntrustedError
from tests.conftest import Sweep


@pytest.fixture
def folder(sweep: Sweep, tmp_path: Path) -> Path:
    """A copy of a finished run."""
    copied: Path = shutil.copytree(run_folders(sweep.folder)[1], tmp_path / "run")
    return copied


def change_config(folder: Path, target: str) -> None:
    path = folder / "record.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["config"]["model"]["net"]["_target_"] = target
    del content["checksum"]
    path.write_text(json.dumps(content), encoding="utf-8")


def test_the_network_gives_the_logits_and_maps_of_training(folder: Path) -> None:
    run = load_run(str(folder))
    state = torch.random.get_rng_state()
    net, probe = run.network(), run.probe()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(module.training for module in net.modules())
    stored = torch.from_numpy(read_probe(folder).logits)
    with torch.no_grad():
        torch.testing.assert_close(net(probe.images), stored)
    again = saliency_maps(
        Gradient(reduce="max_abs", batch_size=200),
        net,
        probe.images,
        probe.labels,
        generator=role_generator(0, Role.EXPLAIN),
        advance=lambda _: None,
    )
    torch.testing.assert_close(again, run.maps("gradient"))


def test_the_record_and_the_probe_are_the_runs_own(folder: Path) -> None:
    run = load_run(folder)
    assert (run.record.augment, run.record.config["seed"]) == ("crop", 0)
    assert run.probe().hash == run.record.probe_hash
    assert run.maps("gradient").shape == run.probe().images[:, 0].shape


def test_a_class_that_is_not_trusted_is_refused_and_the_way_to_allow_it_said(folder: Path) -> None:
    change_config(folder, "tests.measures.subjects.Net")
    with pytest.raises(UntrustedError, match=r"allow it with trust=tests\.measures\.subjects"):
        load_run(folder).network()


def test_a_class_that_is_trusted_is_built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(folder)
    (folder / "my_nets.py").write_text(
        "from auglens.models.cnn2 import Cnn2\n\n\nclass Mine(Cnn2):\n    pass\n"
    )
    change_config(folder, "my_nets.Mine")
    for trust in ("my_nets", ["my_nets"], ["my_nets.Mine"]):
        assert type(load_run(folder, trust=trust).network().net).__name__ == "Mine"


def test_a_folder_without_a_record_is_no_finished_run(folder: Path) -> None:
    (folder / "record.json").unlink()
    with pytest.raises(RecordError, match="run holds no finished run"):
        load_run(folder)


def test_a_checkpoint_that_is_missing_or_of_another_run_is_named(
    sweep: Sweep, folder: Path
) -> None:
    shutil.copy(run_folders(sweep.folder)[2] / "best.ckpt", folder)
    with pytest.raises(RecordError, match=r"best\.ckpt is of another run"):
        load_run(folder).network()
    (folder / "best.ckpt").unlink()
    with pytest.raises(RecordError, match=r"best\.ckpt cannot be loaded"):
        load_run(folder).network()


def test_images_and_maps_of_another_probe_are_refused(folder: Path) -> None:
    path = folder / "saliency" / "gradient.npz"
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "probe_ids": arrays["probe_ids"][::-1]})
    with pytest.raises(RecordError, match="holds maps of gradient of other images"):
        load_run(folder).maps("gradient")
    arrays = dict(np.load(folder / "probe.npz"))
    np.savez(folder / "probe.npz", **{**arrays, "images": 1 - arrays["images"]})
    with pytest.raises(RecordError, match="other images than the run explained"):
        load_run(folder).probe()


def test_help_of_the_explain_stage_loads_no_torch() -> None:
    script = (
        "import sys\nfrom auglens.explain import main\nassert main(['--help']) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
