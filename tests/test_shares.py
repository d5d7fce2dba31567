"""Two processes share the batches of one: the same images, each of them once."""

from pathlib import Path

import pytest
import torch

from auglens.datamodule import WHOLE, EvalBatches, Share, TrainBatches
from auglens.fitting import make_data
from auglens.seeding import Role, role_generator
from tests.built_runs import prepared


def walk(share: Share, *, size: int, batch_size: int) -> TrainBatches:
    return TrainBatches(
        lambda positions: (positions, positions),
        size=size,
        batch_size=batch_size,
        steps=5,
        generator=torch.Generator().manual_seed(3),
        share=share,
    )


class TestShares:
    @pytest.mark.parametrize("world_size", [2, 3])
    @pytest.mark.parametrize("size", [30, 17, 4])
    def test_together_they_are_the_batch_of_one_process(self, world_size: int, size: int) -> None:
        whole = walk(WHOLE, size=size, batch_size=6)
        shares = [
            walk(Share(rank, world_size), size=size, batch_size=6) for rank in range(world_size)
        ]
        for _ in range(3):
            for wanted, *parts in zip(whole, *shares, strict=True):
                assert [len(part) for part, _ in parts] == [6 // world_size] * world_size
                together = torch.cat([part for part, _ in parts])
                assert together.sort().values.equal(wanted[0].sort().values)
        assert {one.samples_shown for one in (whole, *shares)} == {90}

    @pytest.mark.parametrize("count", [3, 10, 11, 101, 250])
    @pytest.mark.parametrize("batch_size", [1, 2, 7, 200])
    @pytest.mark.parametrize("world_size", [2, 3])
    def test_validation_shows_every_image_once_in_equally_many_batches(
        self, count: int, batch_size: int, world_size: int
    ) -> None:
        labels = torch.arange(count)
        shares = [
            list(EvalBatches(labels, labels, batch_size=batch_size, share=Share(rank, world_size)))
            for rank in range(world_size)
        ]
        assert len({len(share) for share in shares}) == 1
        batches = [batch for share in shares for batch, _ in share]
        assert torch.cat(batches).sort().values.equal(labels)
        # A batch of none could stop a network; one more than asked for stops nothing.
        assert all(1 <= len(batch) <= batch_size + 1 for batch in batches)

    def test_fewer_images_than_processes_cannot_be_shared(self) -> None:
        one = torch.zeros(1)
        with pytest.raises(ValueError, match="1 images cannot be shared by 2 processes"):
            EvalBatches(one, one, batch_size=1, share=Share(0, 2))

    def test_static_copies_are_the_same_and_fresh_ones_each_process_draws_itself(
        self, data_dir: Path
    ) -> None:
        static = prepared(["augment=crop"], data_dir)
        first, second = (make_data(static, Share(rank, 2)).training_set for rank in (0, 1))
        assert first.images.equal(second.images)
        online = prepared(["augment=crop", "data.mode=online"], data_dir)
        whole = make_data(online, WHOLE)
        halves = [make_data(online, Share(rank, 2)) for rank in (0, 1)]
        for one, *parts in zip(
            *(data.train_dataloader() for data in (whole, *halves)), strict=True
        ):
            labels = torch.cat([labels for _, labels in parts])
            assert labels.sort().values.equal(one[1].sort().values)
        draws = {data.augment_generator.initial_seed() for data in (whole, *halves)}
        assert len(draws) == 3
        seed = online.config["seeds"]["augment"]
        assert role_generator(seed, Role.AUGMENT, 1).initial_seed() in draws
