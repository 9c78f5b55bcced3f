"""identify looks at a large trace in blocks of samples: the answer is the same, and the memory is bounded."""

import tracemalloc

import numpy as np
import pytest

from decolle_ref.cases import blocks, identify, simulate
from decolle_ref.decolle.dialects import DIALECTS
from tests.support.identification import float32, situation


def in_blocks(monkeypatch, numbers, *arguments):
    with monkeypatch.context() as patch:
        patch.setattr(blocks, "NUMBERS", numbers)
        return identify(*arguments)


def concessions(answer):
    """Everything but the last digits of the factors, which are fitted to one block."""
    return [
        (m.hypothesis, m.dialects, m.lag, [(f.offsets, {x: round(y, 9) for x, y in f.factors.items()}) for f in m.fits])
        for m in answer.matches
    ]


@pytest.mark.parametrize(
    ("dialect", "variables"), list(zip(DIALECTS, ["QPRUS", "R", "QP", "US", "QPRUS"], strict=True))
)
def test_blocks_of_one_sample_give_the_same_answer(monkeypatch, dialect, variables):
    case, about, recorded = situation(dialect, variables, batch=3)
    if variables == "QPRUS":
        recorded["layer1_R"] = -1.5 * recorded["layer1_R"]
    whole, single = identify(case, about, recorded), in_blocks(monkeypatch, 1, case, about, recorded)
    assert whole.dialects == (dialect,)
    assert concessions(single) == concessions(whole)
    assert {miss.dialect for miss in single.misses} == {miss.dialect for miss in whole.misses}


def test_a_silent_sample_leaves_factor_and_lag_open_to_the_others(monkeypatch):
    """In the first sample nothing happens, so any factor fits; the other samples decide it."""
    case, about, recorded = situation("paper", "PU", sizes=(6, 5), batch=3, steps=40)
    recorded_names = {name[7:] for name in recorded}
    case.arrays["inputs"][:, 0] = 0
    recorded = {name: x.astype(float) for name, x in simulate(case).items() if name[7:] in recorded_names}
    recorded["layer1_P"] = 4 * np.concatenate([0 * recorded["layer1_P"][:1], recorded["layer1_P"][:-1]])
    for numbers in (1, 1 << 20):
        (fit,) = in_blocks(monkeypatch, numbers, case, about, recorded).best[0].fits
        assert fit.offsets["P"] == 1 and fit.factors["P"] == pytest.approx(4)


@pytest.mark.parametrize("sample", [0, 1, 2])
def test_one_altered_entry_of_any_block_is_found(monkeypatch, sample):
    case, about, recorded = situation("dcll", "US", batch=3)
    recorded["layer2_U"][7, sample, 1] *= 1 + 1e-6
    answer = in_blocks(monkeypatch, 1, case, about, recorded)
    assert not answer.matches
    (miss,) = [miss for miss in answer.misses if miss.dialect == "dcll"]
    assert (miss.layer, miss.deviation.step, miss.deviation.unit) == (2, 7, (sample, 1))


def test_constants_in_float32_are_found_in_blocks_too(monkeypatch):
    case, about, recorded = situation("decolle", "US", batch=3)
    rough = {name: float32(x) for name, x in recorded.items()}
    whole, single = identify(case, about, rough), in_blocks(monkeypatch, 1, case, about, rough)
    assert whole.rounding == single.rounding is not None


def test_the_memory_depends_on_the_block_and_not_on_the_trace(monkeypatch):
    """The search takes at most 1 kB for each number of a block, which is below 200 MiB for the package's blocks."""
    peaks, block = [], 8 * 20 * 110
    for batch in (8, 32):
        case, about, recorded = situation("decolle", "US", sizes=(20, 30, 30), steps=20, batch=batch, dtype="float32")
        recorded = {name: x.astype(np.float32) for name, x in recorded.items()}
        tracemalloc.start()
        assert in_blocks(monkeypatch, block, case, about, recorded).dialects == ("decolle",)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    files = sum(x.nbytes for x in recorded.values())
    assert max(peaks) <= 1000 * block + files
    assert peaks[1] <= peaks[0] + files
    assert 1000 * blocks.NUMBERS <= 200 << 20
