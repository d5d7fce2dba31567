"""Both sides of the benchmark make the same maps: only then are their times comparable."""

from typing import Any

import pytest
import torch
from torch import nn

from auglens.saliency.guard import drawing_from
from benchmarks.attribution import PEERS, networks, our_maps, peer_maps, shipped
from benchmarks.process import REPOSITORY

NUM_IMAGES = 6
NOT_OF_CAPTUM = {"blur_perturbation", "edge", "random"}


@pytest.mark.parametrize("name", PEERS)
def test_both_sides_make_the_same_maps(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(NUM_IMAGES, 1, 28, 28, generator=generator, dtype=torch.float64)
    targets = torch.tensor([0, 9, 3, 3, 1, 5])
    method: Any = shipped({name: None})[name]
    if name in ("smoothgrad", "gradient_shap"):
        # Equal draws need equal batches.
        method.batch_size = NUM_IMAGES
    # In float64, or the rounding of a sum decides which side of a kink a network is on.
    net, usual = networks(seed=1)
    net.double(), usual.double()
    if name == "deeplift":
        # Max-pooling a flat baseline, rounding decides between ties: it must be the same rounding.
        net.to(memory_format=torch.contiguous_format)
    ours = our_maps(method, net, images, targets, seed=2)
    with drawing_from(torch.Generator().manual_seed(2)):
        theirs = peer_maps(
            PEERS[name], method, usual, images, targets, batch_size=PEERS[name].batch_size
        )
    assert ours.shape == (NUM_IMAGES, 28, 28)
    # AugLens keeps maps in float32, and Captum an occlusion: about seven digits.
    allowed = 1e-6 * float(theirs.amax())
    torch.testing.assert_close(ours.double(), theirs.double(), rtol=0, atol=allowed)


def test_the_usual_network_differs_in_memory_format_alone() -> None:
    net, usual = networks(seed=1)
    images = torch.rand(NUM_IMAGES, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net(images), usual(images))
    formats = [
        [
            one.weight.is_contiguous(memory_format=torch.channels_last)
            for one in network.modules()
            if isinstance(one, nn.Conv2d) and one.in_channels > 1
        ]
        for network in (net, usual)
    ]
    assert formats == [[True], [False]]


def test_every_method_of_captum_that_is_shipped_has_a_peer() -> None:
    files = (REPOSITORY / "conf" / "saliency").glob("*.yaml")
    assert set(PEERS) == {path.stem for path in files} - NOT_OF_CAPTUM
