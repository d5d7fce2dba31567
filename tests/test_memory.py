"""Freed memory is reused, not returned to the system and mapped again."""

import platform
import resource

import pytest
import torch

from auglens.memory import keep_freed_memory


def test_it_takes_effect_where_the_c_library_is_glibc() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_blocks_of_a_training_step_cause_no_page_faults() -> None:
    if not keep_freed_memory():
        pytest.skip("the C library is not glibc: nothing is promised")

    def faults_of_a_block() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(16 * 2**20 // 4)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    for _ in range(5):  # the heap grows to what is needed
        faults_of_a_block()
    # 16 MiB are 4,096 pages; each would be a fault.
    assert sum(faults_of_a_block() for _ in range(5)) < 1000
