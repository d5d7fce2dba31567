"""What people read when the machine is the reason."""

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from auglens.failures import describe_failure, is_disk_full

FOLDER = Path("sweep/0-none")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_the_way_out(number: int) -> None:
    error = OSError(number, os.strerror(number))
    said = describe_failure(error, FOLDER)
    expected = (
        "no space left on the disk of sweep/0-none: free some, then the same command goes on."
    )
    assert said == expected
    error = OSError(number, os.strerror(number), "data/file")
    assert "the disk of data/file" in describe_failure(error, FOLDER)
    assert is_disk_full(error)


class Full(io.BytesIO):
    """A file on a full disk."""

    def write(self, content: object) -> int:
        del content
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_behind_what_numpy_and_torch_raise() -> None:
    def save_arrays() -> None:
        np.savez(Full(), a=np.ones(9))

    def save_weights() -> None:
        torch.save({"a": 1}, Full())

    for save in (save_arrays, save_weights):
        with pytest.raises((OSError, RuntimeError, ValueError)) as caught:
            save()
        assert is_disk_full(caught.value), repr(caught.value)


def test_memory_of_the_cpu_and_of_a_gpu() -> None:
    with pytest.raises(RuntimeError) as cpu:
        torch.empty(2**60)
    errors = (cpu.value, torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB"), MemoryError())
    for error in errors:
        said = describe_failure(error, FOLDER)
        assert said.startswith("out of memory: use a smaller data.batch_size")
        assert "data.eval_batch_size" in said
        assert not is_disk_full(error)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written(number: int) -> None:
    error = OSError(number, os.strerror(number), "there/status.json")
    said = describe_failure(error, FOLDER)
    assert said == f"there/status.json cannot be used: {os.strerror(number)}."


def test_anything_else_is_one_line_with_its_kind() -> None:
    assert describe_failure(ValueError("a\n  b\tc"), FOLDER) == "ValueError: a b c"
    assert describe_failure(KeyError(), FOLDER) == "KeyError: KeyError"


def test_an_error_raised_from_none_hides_its_context() -> None:
    error = ValueError("other")
    error.__context__ = OSError(errno.ENOSPC, "full")
    assert is_disk_full(error)
    error.__suppress_context__ = True
    assert not is_disk_full(error)
