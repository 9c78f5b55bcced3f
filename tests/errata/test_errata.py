"""Every erratum is true: the printed form fails its check, the form that is meant passes."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from decolle_ref import errata
from decolle_ref.cli.main import main
from decolle_ref.credit.neuron import rnn
from decolle_ref.credit.neuron.rate import tanh
from decolle_ref.decolle import lif
from decolle_ref.decolle.objective import Regulariser
from decolle_ref.decolle.surrogate import logistic
from decolle_ref.errata import review_gradients, review_spiketime, spikegrad
from decolle_ref.errata.entry import Erratum, derivative, deviation

PAGE = Path(__file__).parents[2] / "docs" / "errata.md"
NUMBER = r"\*\*(?:< )?([\d.e+-]+)\*\*(?=[;.])"

each = pytest.mark.parametrize("erratum", errata.ERRATA, ids=lambda e: e.tag)


@each
def test_printed_form_fails_and_the_form_meant_passes(erratum):
    printed, meant = erratum.check()
    assert printed > max(0.1, 1000 * erratum.tolerance)
    assert 0 <= meant <= erratum.tolerance


@each
def test_entry_is_complete(erratum):
    assert erratum.kind in ("misprint", "open point")
    assert all((erratum.title, erratum.printed, erratum.meant, erratum.why, erratum.measures))
    assert erratum.printed != erratum.meant
    paper = erratum.tag.split()[0]
    assert f"{paper} " in erratum.check.__doc__  # the equation's tag


def test_tags_are_unique():
    assert Counter(e.tag for e in errata.ERRATA).most_common(1)[0][1] == 1


KNOWN = ("K20 Eq. 1 (R)", "K20 Eq. 1 (Q)", "K20 Eq. 1 (Theta)", "K20 Eq. 3", "K20 Eq. 4", "K20 Sec. 3.2 (Adamax)")
KNOWN += ("K20 Sec. 4.2 (weights)", "K20 Sec. 4.3 (pixels)", "N19 Eq. 3", "N19 Eq. 4", "N19 Eq. 5", "(names)")
KNOWN += ("N19 Eq. 6 (weights)", "N19 Eq. 6 (top)", "N19 Eq. 7", "N19 Eq. 8", "N19 Eq. 13 (theta)")
KNOWN += ("N19 Eq. 13 (index)", "N19 Eq. 13 (sign)", "N19 Eq. 15 (t_i)", "N19 Eq. 15 (causal set)")
KNOWN += ("K20 Table 2, Fig. 4 (dropout)", "K20 Sec. 4.2 (steps)", "N19 Sec. IV (t)")
KNOWN += ("T19 Eq. 16 (ties)", "T19 Eq. 5 (derivative)", "T19 Eq. 4 (trace)")


@pytest.mark.parametrize("place", KNOWN)
def test_known_misprints_and_open_points_are_listed(place):
    assert any(place in e.tag for e in errata.ERRATA)


def test_a_deviation_is_shown_by_two_digits_or_as_below_its_tolerance():
    text = ("tag", "misprint", "title", "printed", "meant", "why", "measures")
    rounding, exact = (Erratum(*text, tolerance, lambda: (1.0, 0.0)) for tolerance in (1e-12, 0.0))
    assert [rounding.show(x) for x in (0.1234, 3e-16)] == ["0.12", "< 1e-12"]
    assert [exact.show(x) for x in (0.1234, 0.0)] == ["0.12", "0"]


@pytest.fixture(scope="module")
def new_page(tmp_path_factory):
    """The page, written again."""
    path = tmp_path_factory.mktemp("page") / "errata.md"
    errata.write_page(path)
    return path.read_text()


def test_page_is_up_to_date(new_page):
    """Word for word, and the numbers up to their last digit, which machines may not share."""
    stored = PAGE.read_text()
    assert re.sub(NUMBER, "**", stored) == re.sub(NUMBER, "**", new_page), "run decolle_ref.errata.write_page"
    numbers = [np.array(re.findall(NUMBER, text), float) for text in (stored, new_page)]
    np.testing.assert_allclose(*numbers, rtol=0.06)


def test_page_shows_two_numbers_for_every_entry(new_page):
    assert len(re.findall(NUMBER, new_page)) == 2 * len(errata.ERRATA)
    assert new_page.isascii() and max(map(len, new_page.splitlines())) <= 120


def test_page_says_what_was_read_and_claims_no_completeness():
    page = " ".join(PAGE.read_text().split())
    assert "copies that a machine made" in page and "some misprints" in page and "may be the copy's" in page
    assert "every place" not in page and "There may be others" in page


def test_table_has_one_line_per_entry_below_its_head():
    _, *lines = errata.table().splitlines()
    assert [line.split("  ")[0] for line in lines] == [e.tag for e in errata.ERRATA]
    assert all(e.title in line for e, line in zip(errata.ERRATA, lines, strict=True))


def test_the_command_fails_if_an_entry_does_not_hold(monkeypatch, capsys):
    assert main(["errata"]) == 0
    first, *others = errata.ERRATA
    monkeypatch.setattr(errata, "ERRATA", (replace(first, check=lambda: (0.0, 0.0)), *others))
    capsys.readouterr()
    assert main(["errata"]) == 1
    assert capsys.readouterr().out.endswith("\nerrata: NOT PROVEN HERE: K20 Eq. 1 (R)\n")


def test_deviation_and_derivative_judge_correctly():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert deviation([3.0, 0.0], [0.0, 4.0]) == 5 / 4
    np.testing.assert_allclose(derivative(lambda x: (x**3).sum(), x), 3 * x**2, rtol=1e-15)


# Further claims in the texts of the entries


def test_equations_7_and_8_written_out_differ_from_the_package_only_by_the_misprints():
    synapses, record, _ = review_gradients.recurrent()
    dL_dy, above = record.y[-1], [W for W, _ in synapses[1:]]
    bptt, rtrl = (review_gradients.stacked(way(tanh, synapses, record, dL_dy)) for way in (rnn.bptt, rnn.rtrl))
    np.testing.assert_allclose(review_gradients.unrolled(synapses, record, dL_dy, above, lag=1), bptt, atol=1e-13)
    corrected = review_gradients.through_row_k, review_gradients.to_neuron_i
    np.testing.assert_allclose(review_gradients.carried(synapses, record, dL_dy, *corrected), rtrl[0], atol=1e-13)


def test_printed_times_of_equation_7_are_right_for_layers_without_delay(rng):
    """a^(l)[n] = V y^(l)[n-1] + W y^(l-1)[n], with the weights of layer l+1."""
    x = rng.normal(0, 1, (5, 2, 3))

    def run(WV):
        y = [[0 * x[0] for _ in WV[0]]]
        a = []
        for below in x:
            a.append([])
            y.append([])
            for W, V, before in zip(*WV, y[-2], strict=True):
                a[-1].append(below @ W.T + before @ V.T)
                below = np.tanh(a[-1][-1])
                y[-1].append(below)
        a, y = zip(*a, strict=True), zip(*y[1:], strict=True)
        return rnn.Record(tuple(map(np.stack, a)), (x, *map(np.stack, y)))

    WV = rng.normal(0, 0.8, (2, 3, 3, 3))
    record, synapses = run(WV), tuple(rnn.Synapses(W, V) for W, V in zip(*WV, strict=True))
    dWV = review_gradients.unrolled(synapses, record, record.y[-1], list(WV[0, 1:]), lag=0)
    np.testing.assert_allclose(dWV, derivative(lambda WV: (run(WV).y[-1] ** 2).sum() / 2, WV), atol=1e-12)


@given(arrays(float, (3, 7), elements=st.floats(-10, 10)))
def test_no_layer_satisfies_both_regularisers_as_printed(U):
    """relu(u + 0.01) + relu(0.1 - u) >= 0.11, and Jensen."""
    assert Regulariser(1.0, 1.0, "membrane").value(U, logistic) >= 0.11 - 1e-14


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_potential_of_a_spike_is_symmetric_in_the_two_decays(alpha, beta):
    """Rounding: the quotient cancels down to a gap of 1e-3."""
    np.testing.assert_allclose(lif.srm_kernel(alpha, beta, 30), lif.srm_kernel(beta, alpha, 30), rtol=1e-11, atol=1e-30)


@pytest.mark.parametrize("seed", range(20))
def test_followed_potential_crosses_first_where_its_sum_over_inputs_does(seed):
    """U(t) = sum_j w_j (1 - exp(-(t - t_j))) over inputs that have come, on a fine grid."""
    rng = np.random.default_rng(seed)
    t, w = rng.uniform(0, 3, 6), rng.normal(0.5, 0.8, 6)
    grid = np.arange(0, 20, 1e-3)
    U = -np.expm1(-np.maximum(grid[:, None] - t, 0)) @ w
    above = grid[U >= 1]
    spike = np.log(review_spiketime.first_spike(t, w))
    if above.size:
        assert above[0] - 1.1e-3 <= spike <= above[0]
    else:
        assert spike == np.inf


def test_one_spike_per_arrival_is_enough_where_no_weight_exceeds_the_threshold():
    layers = spikegrad.final_states(spikegrad.Reading(once=True), grid=4, reach=4)
    assert all((layer.total == layer.A).all() for layer in layers)


def test_spikegrad_ties_do_occur():
    """Without them the rule for residual spikes would not be tested."""
    layers = spikegrad.final_states(spikegrad.Reading())
    assert sum(int((np.abs(layer.z % 1) == 0.5).sum()) for layer in layers) > 100
    assert {layer.relu for layer in layers} == {True, False} and min(int(layer.total.min()) for layer in layers) < 0
