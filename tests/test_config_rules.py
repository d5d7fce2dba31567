"""One line says which setting is wrong, before anything is trained."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from auglens.components import build_network, built
from auglens.config_rules import check_parameters, shown
from auglens.datasets.spec import ImageSpec
from auglens.measures.faithfulness import Faithfulness
from auglens.saliency.gradients import SmoothGrad
from tests.built_runs import prepared, refusal_of

SPEC = ImageSpec("x", 1, 28, 28, tuple("abcdefghij"), (0.5,), (0.2,))
WRONG = (
    ("trainer.max_epochs=-1", "trainer.max_epochs=-1 must be a whole number from 1"),
    ("trainer.max_epochs=true", "trainer.max_epochs=True must be a whole number"),
    ("trainer.max_epochs=1e400", "trainer.max_epochs=inf must be a whole number"),
    ("trainer.max_epochs=2.5", "trainer.max_epochs=2.5 must be a whole number"),
    ("trainer.max_epochs=null", "trainer.max_epochs=None must be a whole number"),
    ("trainer.max_epochs=many", "trainer.max_epochs='many' must be a whole number"),
    ("trainer.max_epochs=???", "trainer.max_epochs has no value; say"),
    ("trainer.precision=17", "trainer.precision=17 must be one of 32-true"),
    ("trainer.accumulate_grad_batches=0", "trainer.accumulate_grad_batches=0 must be"),
    ("trainer.gradient_clip_val=-1", "trainer.gradient_clip_val=-1 must be a number from 0"),
    ("trainer.gradient_clip_algorithm=x", "must be one of norm, value, or null"),
    ("trainer.devices=1000000000", "trainer.devices=1000000000 must be auto, a whole"),
    ("trainer.strategy=fsdp", "trainer.strategy='fsdp' must be one of auto, ddp"),
    ("+trainer.num_nodes=2", "trainer.num_nodes cannot be set"),
    ("trainer.deterministic=1", "trainer.deterministic=1 must be one of true, false, warn"),
    ("trainer.accelerator=abacus", "accelerator='abacus'"),
    ("+trainer.max_epoch=1", "setting trainer.max_epoch. Did you mean trainer.max_epochs?"),
    ("+trainer.plugins=[]", "trainer.plugins cannot be set"),
    ("+trainer.logger=false", "trainer.logger cannot be set"),
    ("+trainer.callbacks=[]", "trainer.callbacks cannot be set"),
    ("+trainer.default_root_dir=x", "trainer.default_root_dir cannot be set"),
    ("+trainer.profiler=x", "trainer cannot be used: When passing string value for the `profiler`"),
    ("seed=-1", "seed=-1 must be a whole number from 0"),
    ("seed=9223372036854775808", "seed=9223372036854775808 must be"),
    ("seeds.order=x", "seeds.order='x' must be"),
    ("num_threads=0", "num_threads=0 must be a whole number from 1"),
    ("data.train_size=1e9", "data.train_size=1000000000.0 must be a whole number"),
    ("data.train_size=1000000000", "data.train_size=1000000000 must be"),
    ("data.train_size=15", "data.train_size=15 is not possible: it must be a multiple of the 10"),
    ("data.train_size=20000", "data.train_size=20000 is not possible"),
    ("data.batch_size=0", "data.batch_size=0 must be"),
    ("data.batch_size=[1]", "data.batch_size=[1] must be"),
    ("data.eval_batch_size=-5", "data.eval_batch_size=-5 must be"),
    ("data.mode=statik", "data.mode='statik' must be one of static, online"),
    ("data.permute_train_labels=1", "data.permute_train_labels=1 must be true or false"),
    ("~data.batch_size", "data.batch_size is missing: it must be a whole number"),
    ("+data.train_sise=5", "no setting data.train_sise. Did you mean data.train_size?"),
    ("+dta.x=5", "There is no setting dta. Did you mean data?"),
    ("data=5", "data=5 must be a section with batch_size"),
    ("augment.name=a/b", "augment.name='a/b' must be a name"),
    ("augment.strength=nan", "augment.strength=nan must be a number from 0 to 2"),
    ("augment.strength=3", "augment.strength=3 must be a number from 0 to 2"),
    ("augment.copies=-1", "augment.copies=-1 must be a whole number from 0"),
    ("probe.size=7", "probe.size=7 is not possible"),
    ("probe.size=4000", "from 10 to 200"),
    ("probe.target=false", "probe.target=False must be one of true_class"),
    ("dataset.num_val=5000", "(dataset.num_val, dataset.num_test)"),
    ("dataset.num_test=-1", "dataset.num_test=-1 must be"),
    ("dataset.std=[0]", "dataset.std=[0] must be a list of numbers above 0"),
    ("dataset.mean=[.nan]", "dataset.mean"),
    ("dataset.split_seed=null", "dataset.split_seed=None must be"),
    ("~dataset.num_val", "load_mnist_5k() missing 1 required keyword-only argument: 'num_val'"),
    ("+dataset.num_vals=3", "setting dataset.num_vals. Did you mean dataset.num_val?"),
    ("optimizer.lr=nan", "optimizer.lr=nan must be a number from 0"),
    ("optimizer.lr=1e400", "optimizer.lr=inf must be"),
    ("optimizer.lr=fast", "optimizer.lr='fast' must be"),
    ("optimizer.betas=[0.9]", "optimizer.betas=[0.9] must be a list of two numbers"),
    ("optimizer.weight_decay=-1", "optimizer.weight_decay=-1 must be"),
    ("+optimizer.lrr=1", "setting optimizer.lrr. Did you mean optimizer.lr?"),
    ("+optimizer.foreach=true", "optimizer cannot be used: `fused` and `foreach`"),
    ("optimizer._target_=torch.optim.Adan", "optimizer cannot be used"),
    ("~optimizer", "optimizer"),
    ("model.net.kernel_size=4", "model.net.kernel_size=4 must be an odd whole number"),
    ("model.net.channels=[1,2,3]", "model.net.channels=[1, 2, 3] must be two whole numbers"),
    ("model.net.channels=[1000000000,2]", "must be two whole numbers from 1 to 1024"),
    ("+model.net.kernel=3", "setting model.net.kernel. Did you mean model.net.kernel_size?"),
    ("model.net._target_=auglens.models.cnn3.Cnn3", "auglens.models.cnn3"),
    ("augment.transform._target_=torch.nn.ReLU", "augment.transform cannot be used"),
    ("figures=maybe", "figures='maybe' must be true or false"),
    ("fail_fast=2", "fail_fast=2 must be true or false"),
    ("paths.resume=null", "paths.resume=None must be true or false"),
    ("paths.data_dir=''", "paths.data_dir='' must be the name of a folder"),
    ("reuse=[nowhere]", "reuse=['nowhere'] must be a list of existing folders"),
    ("reuse=nowhere", "reuse='nowhere' must be a list"),
    ("saliency=[]", "saliency=[] explains nothing"),
    ("saliency.methods.gradient.batch_size=0", "saliency.methods.gradient.batch_size=0 must be"),
    ("saliency.methods.gradient.reduce=mean", "reduce='mean' must be one of max_abs, sum_abs, sum"),
    ("+saliency.methods.gradient.batchsize=1", "Did you mean saliency.methods.gradient.batch_size"),
    ("+saliency.methods.mine=3", "saliency.methods.mine=3 has no _target_"),
    ("+measures.mine=3", "mine"),
)


@pytest.mark.parametrize(("override", "expected"), WRONG, ids=[one for one, _ in WRONG])
def test_a_wrong_setting_is_named(override: str, expected: str, data_dir: Path) -> None:
    said = refusal_of([override], data_dir)
    assert expected in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["saliency=smoothgrad", "num_samples=-1"], "num_samples=-1 must be a whole number"),
        (["saliency=smoothgrad", "num_samples=1000000000"], "num_samples=1000000000 must be"),
        (["saliency=smoothgrad", "stdev=nan"], "stdev=nan must be a finite number"),
        (["saliency=gradient_shap", "baseline=2"], "baseline=2 must be a number from 0 to 1"),
        (["saliency=integrated_gradients", "quadrature=gauss"], "must be one of riemann_left"),
        (["saliency=integrated_gradients", "num_steps=''"], "num_steps='' must be"),
        (["saliency=gradcam", "interpolation=cubic"], "must be one of nearest"),
        (["saliency=gradcam", "relu=1"], "relu=1 must be true or false"),
        (["saliency=gradcam", "layer=conv9"], "cannot explain this network"),
        (["saliency=guided_gradcam", "layer=null"], "layer is null"),
        (["saliency=occlusion", "stride_px=9"], "stride_px=9 must be a whole number from 1 to 5"),
        (["saliency=occlusion", "window_px=100"], "cannot explain this network"),
        (["saliency=blur_perturbation", "mask_sigma_px=0"], "mask_sigma_px=0 must be"),
        (["saliency=deeplift", "baseline=null"], "baseline=None must be"),
        (["measures=faithfulness", "substrates=[pink]"], "'pink' must be one of black, blur, mean"),
        (["measures=faithfulness", "substrates=[]"], "substrates=[] must be a list"),
        (["measures=infidelity", "num_samples=0"], "num_samples=0 must be"),
        (["measures=sensitivity", "radius=-0.1"], "radius=-0.1 must be"),
        (["measures=equivariance", "strength=3"], "strength=3 must be"),
        (["measures=parameter_randomization", "num_draws=1.5"], "num_draws=1.5 must be"),
        (["measures=label_randomization", "num_images=0"], "num_images=0 must be"),
        (["measures=affinity_diversity", "num_draws=x"], "num_draws='x' must be"),
        (["measures=untrained", "foreground_threshold=1"], "foreground_threshold"),
        (["augment=scale", "max_change=0.7"], "augment.transform.max_change=0.7 is outside"),
        (["augment=scale", "max_change=x"], "augment.transform.max_change='x' is outside"),
        (["augment=erase", "aspect=[1]"], "augment.transform.aspect=[1] must be two numbers"),
        (
            ["augment=distort", "sigma_px=nan"],
            "augment.transform.sigma_px=nan must be a finite number",
        ),
        (["augment=blur", "max_sigma_px=true"], "augment.transform.max_sigma_px=True is outside"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_part_says_what_it_cannot_be_built_with(
    overrides: Sequence[str], expected: str, data_dir: Path
) -> None:
    group, setting = overrides
    kind, _, name = group.partition("=")
    node = {
        "saliency": f"saliency.methods.{name}",
        "measures": f"measures.{name}",
        "augment": "augment.transform",
    }[kind]
    said = refusal_of([group, f"{node}.{setting}"], data_dir)
    assert expected in said
    assert node in said


def test_neither_originals_nor_copies_are_nothing_to_train_on(data_dir: Path) -> None:
    said = refusal_of(["augment=none", "augment.keep_original=false"], data_dir)
    assert said.startswith("augment.copies=0 with augment.keep_original=false leaves nothing")


def test_several_mistakes_are_said_at_once_and_followers_of_the_seed_are_not(
    data_dir: Path,
) -> None:
    said = refusal_of(["seed=-1", "data.batch_size=0"], data_dir)
    assert said.count("must be") == 2
    assert "seeds." not in said


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer.devices=auto", "trainer.accelerator=cpu"],
        ["trainer.gradient_clip_val=0.5", "trainer.gradient_clip_algorithm=value"],
        ["+trainer.max_steps=10", "+trainer.benchmark=false"],
        ["optimizer=sgd", "optimizer.momentum=0.5", "+optimizer.maximize=false"],
        ["augment=crop", "augment.strength=0", "augment.copies=1", "augment.keep_original=false"],
        ["model.cam_layer=null", "logger.mode=disabled", "logger.entity=null"],
        ["seed=9223372036854775807", "seeds.explain=3", "data.mode=online"],
    ],
    ids=" ".join,
)
def test_right_settings_are_built(overrides: Sequence[str], data_dir: Path) -> None:
    run = prepared(overrides, data_dir)
    given = dict(one.lstrip("+").split("=") for one in overrides)
    assert given.get("optimizer", "adam") in run.config["optimizer"]["_target_"].lower()
    assert run.config["data"]["mode"] == given.get("data.mode", "static")
    assert len(run.originals.labels) == len(run.labels) == 20


def test_the_constructors_own_name_is_found_without_a_config() -> None:
    with pytest.raises(ValueError, match=r"^stdev=-1 must be a number from 0 to 10\.$"):
        SmoothGrad(reduce="sum", batch_size=1, num_samples=1, stdev=-1)
    with pytest.raises(ValueError, match="substrates='black' must be a list"):
        Faithfulness(substrates="black", num_steps=1, blur_sigma_px=1, batch_size=1)  # type: ignore[arg-type]


def test_what_takes_anything_refuses_nothing() -> None:
    def anything(**settings: object) -> None: ...

    check_parameters("x", ["a"], anything)
    with pytest.raises(ValueError, match=r"x\.b cannot be set"):
        check_parameters("x", ["b"], lambda b: b, reserved=["b"])


def test_a_target_of_ones_own_that_raises_anything_is_named() -> None:
    config = {"_target_": "auglens.models.cnn2.Cnn2", "_partial_": True, "kernel_size": 3}
    with pytest.raises(ValueError, match=r"^model\.net cannot be used: .*channels"):
        build_network({"seeds": {"init": 0}, "model": {"net": config}}, SPEC)
    with pytest.raises(ValueError, match=r"^one\.two cannot be used: "):
        built({"_target_": "torch.nn.Linear", "in_features": -1, "out_features": "x"}, "one.two")


def test_values_in_messages_are_short_and_visible() -> None:
    assert shown("a\nb") == r"'a\nb'"
    assert len(shown(list(range(1000)))) < 100


def test_checking_leaves_global_generators_alone(data_dir: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    prepared(["augment=crop", "saliency=smoothgrad"], data_dir)
    assert torch.equal(torch.rand(3), expected)
