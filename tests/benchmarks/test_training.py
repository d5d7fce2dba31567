from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auglens.checkpoints import Checkpoints
from benchmarks.peers import plain, tuned
from benchmarks.training import EpochTurns, Peer, Session, StepTurns, composed

SMALL = (
    "augment=crop",
    "dataset.num_val=100",
    "dataset.num_test=200",
    "data.train_size=20",
    "probe.size=20",
    "logger=csv",
)
MakeSession = Callable[..., Session]


@pytest.fixture
def make_session(data_dir: Path, tmp_path: Path) -> Iterator[MakeSession]:
    threads = torch.get_num_threads()
    yield lambda *overrides: Session(
        composed(*SMALL, *overrides, f"paths.data_dir={data_dir}"), tmp_path
    )
    torch.set_num_threads(threads)


def bare_network(session: Session) -> nn.Module:
    """The network behind the normalisation."""
    net = session.module.net.net
    assert isinstance(net, nn.Module)
    return net


def peer_on(loop: ModuleType, session: Session) -> Peer:
    """A peer with the images of the session and the first weights of its network."""
    images, labels = session.data.training_set.images, session.data.training_set.labels
    val = session.run.dataset.val
    data: Any = loop.Data(
        train=images[:20],
        val=loop.normalize(val.unit_images()),
        test=loop.normalize(val.unit_images()),
        train_labels=labels[:20],
        val_labels=val.labels,
        test_labels=val.labels,
    )
    peer = Peer(loop, data)
    own = bare_network(session).state_dict()
    peer.network.load_state_dict(dict(zip(peer.network.state_dict(), own.values(), strict=True)))
    return peer


@pytest.mark.parametrize("loop", [tuned, plain], ids=["tuned", "plain"])
def test_both_sides_take_the_same_step(loop: ModuleType, make_session: MakeSession) -> None:
    session = make_session("dataset.mean=[0.1307]", "dataset.std=[0.3081]")
    peer = peer_on(loop, session)
    images, labels = next(iter(session.data.train_dataloader()))
    assert len(images) == 110
    optimizer = session.module.configure_optimizers()
    torch.autograd.backward(session.module.training_step((images, labels), 0))
    optimizer.step()
    peer.images, peer.labels = loop.normalize(images), labels
    one_step: Callable[[int], tuple[Tensor, ...]] = lambda num_images: (torch.arange(num_images),)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "epoch_batches", one_step)
        peer.train()
    ours, theirs = bare_network(session).parameters(), peer.network.parameters()
    for own, other in zip(ours, theirs, strict=True):
        # Adam's first step is the learning rate times a sign, so rounding shows where a gradient
        # is near zero; all others agree to float32's precision.
        agree = (own - other).abs() < 1e-6
        assert agree.float().mean() > 0.99


@pytest.mark.parametrize("loop", [tuned, plain], ids=["tuned", "plain"])
def test_an_epoch_of_both_sides_has_as_many_steps_and_samples(
    loop: ModuleType, make_session: MakeSession
) -> None:
    session = make_session()
    sizes = [len(labels) for _, labels in session.data.train_dataloader()]
    assert sizes == [len(batch) for batch in loop.epoch_batches(1100)] == [110] * 10


def test_every_turn_is_timed_and_the_first_is_not_counted(make_session: MakeSession) -> None:
    calls: list[int] = []

    def peer() -> float:
        calls.append(len(turns._ours_s))
        return 2.0

    turns = EpochTurns([peer], every=2)
    epochs = turns.lasting(3)
    session = make_session(f"trainer.max_epochs={epochs}", "data.steps_per_epoch=1")
    with session.running():
        trainer = session.trainer(turns)
        trainer.fit(session.module, datamodule=session.data)
    (found,) = turns.comparisons("work", ["peer"], [1.2])
    assert (epochs, found.bar, found.peer_s) == (9, 1.2, [1.0] * 3)
    assert len(found.ours_s) == 3
    # Before AugLens starts, after its first share, and beside each of the three that count.
    assert calls == [0, 1, 2, 3, 4]
    # All that a run leaves: the whole epoch was timed, not a bare loop.
    assert (session.folder / "history.csv").read_text().count("\n") == 1 + epochs
    assert isinstance(trainer.checkpoint_callback, Checkpoints)
    assert trainer.checkpoint_callback.chosen["state_dict"]
    assert list((session.folder / "csv").rglob("metrics.csv"))


def test_steps_take_turns_within_an_epoch(make_session: MakeSession) -> None:
    turns = StepTurns([lambda: 3.0], every=3)
    steps = turns.lasting(2)
    session = make_session("trainer.max_epochs=1", f"data.steps_per_epoch={steps}")
    with session.running():
        session.trainer(turns).fit(session.module, datamodule=session.data)
    assert (steps, len(turns.ours_s), turns.peer_s(0)) == (10, 2, [1.0, 1.0])


def test_peers_do_not_pay_for_deterministic_algorithms(make_session: MakeSession) -> None:
    asked: list[bool] = []

    def peer() -> float:
        asked.append(torch.are_deterministic_algorithms_enabled())
        return 1.0

    turns = EpochTurns([peer], every=1)
    session = make_session("trainer.max_epochs=2", "data.steps_per_epoch=1")
    with session.running():
        session.trainer(turns).fit(session.module, datamodule=session.data)
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert asked == [False, False]
