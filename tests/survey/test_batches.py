"""Batches: smaller where memory does not suffice, and nothing is left out."""

import pytest
import torch

from lensmill.survey.batches import Budget, budget, in_batches, out_of_memory

SHAPE = (40, 47)


def _work(most, error):
    def work(group):
        if len(group) > most:
            raise error
        return sum(group)

    return work


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
)
def test_a_batch_too_large_is_halved_and_all_goes_on(error):
    allowed = Budget(0, 16 * SHAPE[0] * SHAPE[1])
    done = list(in_batches(range(23), SHAPE, allowed, _work(5, error)))
    assert [len(group) for group, _ in done] == [4, 4, 4, 4, 4, 3]
    assert sum(result for _, result in done) == sum(range(23))
    assert allowed.count(SHAPE) == 4


def test_one_that_never_fits_is_passed_over():
    def work(group):
        if 3 in group:
            raise MemoryError
        return list(group)

    done = {
        tuple(group): result
        for group, result in in_batches(range(6), SHAPE, Budget(4, 10**6), work)
    }
    assert done[(3,)] is None
    assert sorted(number for result in done.values() for number in result or ()) == [0, 1, 2, 4, 5]


def test_other_errors_are_raised():
    with pytest.raises(RuntimeError, match="shapes"):
        list(in_batches(range(6), SHAPE, Budget(4, 10**6), _work(0, RuntimeError("shapes"))))
    assert not out_of_memory(RuntimeError("shapes"))


def test_larger_stamps_make_smaller_batches():
    allowed = budget(0, "cpu")
    assert allowed.count((64, 64)) == 32
    assert allowed.count((111, 111)) == 10
    assert allowed.count((4000, 4000)) == 1
    assert budget(7, "cpu").count((4000, 4000)) == 7
