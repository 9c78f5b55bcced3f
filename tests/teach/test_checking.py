"""A check says what is wrong, and cannot be fooled by the form of an answer."""

import numpy as np
import pytest

from decolle_ref import teach
from decolle_ref._util.check import InputError
from decolle_ref.credit.audit.derivation import check as check_derivation
from decolle_ref.teach import Slip, Task, judge
from decolle_ref.teach import derivation as derivations
from tests.support import derivations as written

NAME = "weight_gradient"


def two_numbers(rng):
    return (rng.integers(2, 9),)


DOUBLE = Task("double", lambda k: 2.0 * k, two_numbers, slips=(), forms=())


def trace(rng):
    return rng.normal(size=3), rng.normal(size=(2, 3))


PRODUCT = Task("product", lambda P, W: W @ P, trace, slips=(), forms=())
BOTH = Task("both", lambda P, W: (W @ P, P.sum()), trace, slips=(), forms=())
BY_NAME = Task("by_name", lambda P, W: {"U": W @ P, "sum": P.sum()}, trace, slips=(), forms=())


@pytest.mark.parametrize(
    "answer",
    [lambda k: int(2 * k), lambda k: np.float64(2 * k), lambda k: k + k, lambda k: np.array(2 * k)],
    ids=["integer", "numpy number", "numpy integer", "array without axes"],
)
def test_a_number_may_have_any_type(answer):
    assert judge(DOUBLE, answer)


@pytest.mark.parametrize("answer", [lambda P, W: list(W @ P), lambda P, W: tuple(W @ P)], ids=["list", "tuple"])
def test_an_array_may_be_a_list(answer):
    assert judge(PRODUCT, answer)


def test_several_results_may_be_a_tuple_or_a_list():
    assert judge(BOTH, lambda P, W: (W @ P, P.sum())) and judge(BOTH, lambda P, W: [W @ P, P.sum()])
    assert judge(BOTH, lambda P, W: P).problem == "expected 2 results, got an array of shape (3,)"
    assert judge(BOTH, lambda P, W: (W @ P, 2 * P.sum())).problem.startswith("result 2: expected")


class Foreign:
    """An array of another framework that refuses to be converted."""

    def __array__(self, *arguments, **options):
        raise RuntimeError("detach it first")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Foreign(), "a Foreign (detach it first)"),
        ([1, [2, 3]], "a list of length 2 (setting an array element with a sequence"),
        (1j, "a complex (dtype complex128)"),
        (2**99, "a number (dtype object)"),
        (np.array(1.0), "2 results, got an array of shape ()"),
        (iter([1, 2]), "2 results, got a list_iterator"),
    ],
    ids=["foreign", "ragged", "complex", "huge", "no axes", "iterator"],
)
def test_what_is_no_array_of_numbers_is_named(answer, words):
    task = BOTH if "results" in words else PRODUCT
    assert words in judge(task, lambda P, W: answer).problem


def test_results_by_name_are_compared_by_name():
    assert judge(BY_NAME, lambda P, W: {"sum": P.sum(), "U": W @ P})
    assert "expected a dictionary with the keys ['U', 'sum'], got the keys ['U']" in str(
        judge(BY_NAME, lambda P, W: {"U": W @ P})
    )


def test_the_first_place_that_differs_is_named():
    def answer(P, W):
        U = W @ P
        U[1] += 1
        return U

    P, W = trace(np.random.default_rng(list(b"product")))
    expected = (W @ P)[1]
    assert judge(PRODUCT, answer).problem == f"at index [1] expected {expected:.6g}, got {expected + 1:.6g}"


def test_a_function_that_changes_its_arguments_does_not_pass():
    def answer(P, W):
        P *= 2
        return W @ P / 2

    assert "changes its arguments" in judge(PRODUCT, answer).problem


def test_a_function_that_keeps_something_between_calls_does_not_pass():
    calls = []

    def answer(k):
        calls.append(k)
        return 2 * k + (len(calls) > 5)

    assert "second" in judge(DOUBLE, answer).problem


def test_a_function_that_works_for_one_draw_only_does_not_pass():
    (first,) = two_numbers(np.random.default_rng(list(b"double")))
    assert judge(DOUBLE, lambda k: 2.0 * first).state == "not yet"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda P, W: -W @ P, "Only the sign is wrong"),
        (lambda P, W: W @ P / 4, "Only the size is wrong: your result is the right one times 0.25"),
        (lambda P, W: (W @ P).astype(np.float32), "Your numbers are nearly right"),
        (lambda P, W: W @ P + 1, ""),
    ],
    ids=["sign", "factor", "float32", "unknown"],
)
def test_general_hints_need_no_slip(wrong, hint):
    verdict = judge(PRODUCT, wrong)
    assert verdict.state == "not yet" and verdict.hint.startswith(hint) and bool(hint) == bool(verdict.hint)


def test_a_transpose_is_recognised():
    task = Task("outer", lambda P, W: np.outer(P, W[:, 0]), trace, slips=(), forms=())
    assert "transpose" in judge(task, lambda P, W: np.outer(W[:, 0], P)).hint


def test_a_slip_that_raises_is_recognised_by_its_exception():
    slip = Slip("transposed", lambda P, W: W.T @ P, "Look at the shape of W.")
    task = Task("product", lambda P, W: W @ P, trace, slips=(slip,), forms=())
    verdict = judge(task, lambda P, W: W.T @ P)
    assert verdict.hint == slip.hint and "in line 1 of the function" in verdict.problem


def test_infinities_and_nan_where_they_are_expected_pass():
    task = Task("silent", lambda k: np.array([np.inf, np.nan, k]), two_numbers, slips=(), forms=())
    assert judge(task, lambda k: [np.inf, np.nan, k])
    assert not judge(task, lambda k: [np.inf, 0, k])


def derivation_from(edits):
    text = written.RIGHT
    for old, new in edits:
        text = text.replace(old, new)
    space = {}
    exec(text, space)
    return space["gradient"]


RIGHT = derivation_from([])
BACKWARD = Task("backward", RIGHT, derivations.draw, slips=(), forms=(), tolerance=1e-8, explain=derivations.explain)


def test_the_derivation_checker_names_the_missing_term():
    """The words are those of `credit.audit`, which has tests of its own."""
    assert check_derivation(RIGHT, np.random.default_rng(0)) and judge(BACKWARD, RIGHT)
    assert "the reset path" in judge(BACKWARD, derivation_from(written.NO_RESET)).hint
    assert "sigma' is missing" in judge(BACKWARD, derivation_from(written.NO_SLOPE)).hint


def test_check_prints_the_verdict_and_returns_it(capsys):
    verdict = teach.check(NAME, teach.registry.find(NAME).solution)
    assert verdict.state == "pass" and capsys.readouterr().out == f"pass: {NAME}\n"


def test_an_unknown_task_and_a_result_in_place_of_a_function_are_refused():
    with pytest.raises(InputError, match="such as weight_gradient"):
        teach.check("weight_gradients", len)
    with pytest.raises(InputError, match="expected a function, got int"):
        teach.check(NAME, 3)
    with pytest.raises(InputError, match="notebook: expected one of"):
        teach.registry.of_notebook("99")
