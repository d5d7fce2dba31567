from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor, nn

from auglens.saliency.attribution import saliency_maps
from auglens.saliency.gradients import Gradient
from auglens.saliency.guard import drawing_from, explaining


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3))


def gradient_maps(net: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    return saliency_maps(
        Gradient(reduce="max_abs", batch_size=2),
        net,
        images,
        targets,
        generator=torch.Generator(),
        advance=lambda _: None,
    )


def test_nothing_is_left_behind() -> None:
    net = network().train()
    net[1].eval()
    net[3].weight.requires_grad_(False)
    net(torch.rand(2, 1, 8, 8)).sum().backward()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    gradients = [parameter.grad for parameter in net.parameters()]
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = (torch.rand(2), np.random.rand(2))  # noqa: NPY002
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    with explaining(net):
        assert not any(module.training for module in net.modules())
        net(torch.rand(2, 1, 8, 8)).sum().backward()
        np.random.rand(5)  # noqa: NPY002
    assert torch.equal(torch.rand(2), expected[0])
    assert np.array_equal(np.random.rand(2), expected[1])  # noqa: NPY002
    assert [module.training for module in net] == [True, False, True, True]
    assert all(one.grad is two for one, two in zip(net.parameters(), gradients, strict=True))
    assert not net[3].weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_an_error_inside_leaves_nothing_behind_either() -> None:
    net = network().train()
    with pytest.raises(RuntimeError, match="inside"), explaining(net):
        raise RuntimeError("inside")
    assert net.training


def test_gradients_in_inference_mode() -> None:
    net = network()
    images = torch.rand(2, 1, 8, 8)
    with torch.inference_mode():
        maps = gradient_maps(net, images, torch.tensor([0, 1]))
    assert maps.shape == (2, 8, 8)
    assert (maps > 0).any()


def test_a_network_built_in_inference_mode_is_refused() -> None:
    with torch.inference_mode():
        net = network()
    with pytest.raises(ValueError, match=r"trainer\.inference_mode=false"), explaining(net):
        pass


def test_other_libraries_draw_from_our_generator() -> None:
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(9)
        np.random.seed(9)  # noqa: NPY002
        with drawing_from(torch.Generator().manual_seed(seed)):
            drawn.append((torch.rand(2).tolist(), np.random.rand(2).tolist()))  # noqa: NPY002
        left = (torch.rand(2).tolist(), np.random.rand(2).tolist())  # noqa: NPY002
        torch.manual_seed(9)
        np.random.seed(9)  # noqa: NPY002
        assert left == (torch.rand(2).tolist(), np.random.rand(2).tolist())  # noqa: NPY002
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[2][0]
    assert drawn[0][1] != drawn[2][1]


class Loader:
    def __init__(self, batches: list[Tensor]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.batches)


class Hooked(LightningModule):
    """Explains in every hook that a user may think of."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()
        self.explained: dict[str, Tensor] = {}

    def explain(self, hook: str) -> None:
        images = torch.ones(1, 1, 8, 8)
        training = self.net.training
        maps = gradient_maps(self.net, images, torch.tensor([0]))
        assert self.net.training == training
        self.explained[hook] = maps

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        del batch_idx
        loss: Tensor = self.net(batch).square().mean()
        self.explain("training_step")
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        del batch, batch_idx
        self.explain("validation_step")

    def on_validation_epoch_end(self) -> None:
        self.explain("on_validation_epoch_end")

    def on_train_epoch_end(self) -> None:
        self.explain("on_train_epoch_end")

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        del batch, batch_idx
        self.explain("test_step")

    def on_test_end(self) -> None:
        self.explain("on_test_end")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("inference_mode", [True, False])
def test_every_hook_of_lightning(inference_mode: bool) -> None:
    module = Hooked()
    data = [torch.rand(2, 1, 8, 8)]
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        inference_mode=inference_mode,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(module, Loader(data), Loader(data))
    trainer.test(module, Loader(data), verbose=False)
    assert len(module.explained) == 6
    assert all((maps > 0).any() for maps in module.explained.values())
