"""What a recorded config may build."""

import os
from pathlib import Path
from typing import Any

import pytest

from auglens.augment.transforms import PerImage
from auglens.models.cnn2 import Cnn2
from auglens.trust import UntrustedError, build_recorded, check_recorded

CNN2 = {
    "_target_": "auglens.models.cnn2.Cnn2",
    "_partial_": True,
    "channels": [2, 3],
    "kernel_size": 3,
}
ROTATE = {
    "_target_": "auglens.augment.transforms.PerImage",
    "transform": {"_target_": "torchvision.transforms.v2.RandomRotation", "degrees": 15},
}


def test_what_auglens_and_torchvision_define_is_built() -> None:
    net = build_recorded(CNN2, trust=[])(in_channels=1, height=8, width=8, num_classes=2)
    assert isinstance(net, Cnn2)
    assert isinstance(build_recorded(ROTATE, trust=[]), PerImage)
    for target in (
        "torchvision.models.resnet.ResNet",
        "torchvision.models.ResNet",
        "torchvision.transforms.v2.Compose",
        "auglens.datasets.mnist_5k.load_mnist_5k",
    ):
        check_recorded({"_target_": target}, trust=[])


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("torchvision.datasets.utils.download_url", id="a download"),
        pytest.param("torchvision.models.resnet18", id="a function, which may download"),
        pytest.param("torchvision.models.get_model", id="a function by name"),
        pytest.param("auglens.models.cnn2.nn.Linear", id="a class that was imported there"),
        pytest.param("auglens.augment.transforms.torch.load", id="a function imported there"),
        pytest.param("auglens.models.normalized.torch.hub.load", id="further off"),
        pytest.param("torchvision.models._api.importlib.import_module", id="an importer"),
        pytest.param("auglens.modelsx.Evil", id="a package of a like name"),
        pytest.param("auglens.datasets.mnist.MNIST", id="no loader"),
        pytest.param("auglens.records.files.write_text", id="another package of ours"),
        pytest.param("auglens.models", id="a package"),
        pytest.param("auglens.models.no_such_module.Net", id="nothing there"),
        pytest.param("os.system", id="the shell"),
        pytest.param("subprocess.Popen", id="a process"),
        pytest.param("system", id="no module"),
        pytest.param("", id="nothing"),
    ],
)
@pytest.mark.parametrize("depth", ["top", "nested", "in a list"])
def test_anything_else_is_refused_wherever_it_stands(target: str, depth: str) -> None:
    evil: dict[str, Any] = {"_target_": target}
    nodes: dict[str, dict[str, Any]] = {
        "top": evil,
        "nested": {**CNN2, "channels": {"deep": evil}},
        "in a list": {**CNN2, "channels": [1, [evil]]},
    }
    node = nodes[depth]
    with pytest.raises(UntrustedError, match="trust="):
        build_recorded(node, trust=[])


def test_nothing_is_run_before_everything_is_checked(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    node = {
        "_target_": "auglens.augment.transforms.PerImage",
        "transform": {"_target_": "pathlib.Path.touch", "self": str(flag)},
    }
    with pytest.raises(UntrustedError):
        build_recorded(node, trust=[])
    assert not flag.exists()


def test_interpolations_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SECRET", "s3cret")
    with pytest.raises(UntrustedError, match="is resolved") as caught:
        build_recorded({**CNN2, "kernel_size": "${oc.env:SECRET}"}, trust=[])
    assert "s3cret" not in str(caught.value)


def test_modules_that_the_user_trusts_are_built() -> None:
    node = {"_target_": "fractions.Fraction", "numerator": 1, "denominator": 2}
    for own in (["fractions"], ["fractions.Fraction"]):
        assert build_recorded(node, trust=own) == 0.5
    for other in (["fraction"], ["fractions.Fraction.real"], ["no_such_module"], []):
        with pytest.raises(UntrustedError):
            build_recorded(node, trust=other)


def test_what_a_trusted_module_only_imports_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_nets_of_this_test.py").write_text("import torch\n\nclass Net: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    trust = ["my_nets_of_this_test"]
    build_recorded({"_target_": "my_nets_of_this_test.Net"}, trust=trust)
    for target in ("torch.load", "torch.hub.load", "torch.nn.Linear", "torch"):
        with pytest.raises(UntrustedError):
            check_recorded({"_target_": f"my_nets_of_this_test.{target}"}, trust=trust)
