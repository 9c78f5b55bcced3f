"""Every exercise accepts correct answers of any form, and rejects planted mistakes with the hint that fits."""

import numpy as np
import pytest

from decolle_ref.teach import judge, registry
from decolle_ref.teach.outcome import outcome

TASKS = list(registry.every())
SLIPS = [(task, slip) for task in TASKS for slip in task.slips]


def by_name(value):
    return getattr(value, "name", "")


def test_names_are_unique():
    names = [task.name for task in TASKS]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("task", TASKS, ids=by_name)
def test_there_are_three_planted_mistakes_and_two_other_forms(task):
    assert len(task.slips) >= 3 and len(task.forms) >= 2
    assert len({slip.hint for slip in task.slips}) == len({slip.name for slip in task.slips}) == len(task.slips)
    assert task.points >= 1


@pytest.mark.parametrize("task", TASKS, ids=by_name)
def test_the_solution_and_every_other_form_pass(task):
    for form in (task.solution, *task.forms):
        assert str(judge(task, form)) == f"pass: {task.name}"


@pytest.mark.parametrize(("task", "slip"), SLIPS, ids=by_name)
def test_a_planted_mistake_is_rejected_with_its_own_hint(task, slip):
    verdict = judge(task, slip.answer)
    assert (verdict.state, verdict.hint) == ("not yet", slip.hint)
    assert len(verdict.problem.splitlines()) == 1


@pytest.mark.parametrize("task", TASKS, ids=by_name)
def test_fresh_arguments_differ_from_call_to_call(task):
    rng = np.random.default_rng(0)
    a, b = (outcome(task.solution, task.draw(rng), task.solution(*task.draw(rng))) for _ in range(2))
    assert any(a.parts[name].shape != b.parts[name].shape or (a.parts[name] != b.parts[name]).any() for name in a.parts)


@pytest.mark.parametrize("task", TASKS, ids=by_name)
def test_a_stub_is_still_to_do(task):
    def stub(*arguments):
        raise NotImplementedError

    assert judge(task, stub).state == "to do"


def answers(value):
    """Answers of no use, whatever the exercise."""
    return {
        "nothing": lambda *arguments: None,
        "text": lambda *arguments: "0.5",
        "an object": lambda *arguments: np.array([object()]),
        "not a number": lambda *arguments: value(np.nan),
        "a wrong shape": lambda *arguments: np.zeros((1, 2, 3, 4, 5, 6)),
        "an exception": lambda *arguments: {}["P"],
        "an exit": lambda *arguments: exit(),
        "no arguments": lambda: 1,
    }


@pytest.mark.parametrize("name", answers(None))
@pytest.mark.parametrize("task", TASKS, ids=by_name)
def test_an_answer_of_no_use_gets_one_clear_line(task, name):
    def like(number):
        """The right kind of answer, with this number everywhere."""
        right = task.solution(*task.draw(np.random.default_rng(1)))
        fill = lambda part: np.full(np.shape(part), number)  # noqa: E731
        if isinstance(right, dict):
            return {key: fill(part) for key, part in right.items()}
        return tuple(map(fill, right)) if isinstance(right, tuple) else fill(right)

    verdict = judge(task, answers(like)[name])
    assert verdict.state == "not yet" and verdict.problem
    assert len(verdict.problem.splitlines()) == 1
