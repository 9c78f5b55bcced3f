"""The derivation checker names the mistake in a wrong derivation, and never blames a right one."""

import numpy as np
import pytest

from decolle_ref._util.check import InputError
from decolle_ref.cli.main import main
from decolle_ref.credit.audit import derivation, hypotheses
from decolle_ref.credit.neuron import spiking
from decolle_ref.credit.neuron.spiking import Paths
from tests.support.derivations import FORWARD, NATURAL, PLANTED, RETURN, RIGHT, SIGN, function, source


def numbers(p):
    """dL/dW by central differences: a correct gradient that shares nothing with the package's backward pass."""
    cell = spiking.Neuron(p.alpha, p.beta, p.theta, activity="primitive")
    cell = cell._replace(surrogate=hypotheses.replace(cell.surrogate, primitive=p.sigma))

    def loss(W, V):
        synapses = [spiking.Synapses(*pair) for pair in zip(W, V, strict=True)]
        S = spiking.forward(cell, synapses, p.x[:, None]).S
        pairs = [(s[:, 0], G) for s, G in zip(S, p.G, strict=True) if G is not None]
        return sum(((s @ G.T - p.target) ** 2).sum() / 2 for s, G in pairs)

    found = {"W1": np.zeros_like(p.W[0]), "V2": np.zeros_like(p.V[1])}
    for name, array in (("W1", p.W[0]), ("V2", p.V[1])):
        for index in np.ndindex(array.shape):
            array[index] += 1e-5
            up = loss(p.W, p.V)
            array[index] -= 2e-5
            found[name][index] = (up - loss(p.W, p.V)) / 2e-5
            array[index] += 1e-5
    return found


@pytest.mark.parametrize("loss", derivation.LOSSES)
def test_a_gradient_by_finite_differences_is_exact(loss):
    report = derivation.check(numbers, np.random.default_rng(5), loss)
    assert report and str(report).startswith("exact: W1, V2")


@pytest.mark.parametrize("loss", derivation.LOSSES)
def test_a_correct_derivation_is_never_blamed_over_a_thousand_networks(loss):
    backward, forward, rng = function(), function(text=FORWARD), np.random.default_rng(6)
    for k in range(167):  # three networks each, and two losses
        report = derivation.check(forward if k % 4 == 0 else backward, rng, loss)
        assert report and report.worst.error < 1e-11


@pytest.mark.parametrize(("edits", "words"), PLANTED, ids=[", ".join(words) for _, words in PLANTED])
def test_planted_mistakes_are_named(edits, words):
    report = derivation.check(function(edits), np.random.default_rng(7))
    assert not report
    ((matrices, (explanation, *others), _),) = report.findings  # one explanation of all four matrices
    assert matrices == ("W1", "V1", "W2", "V2")
    assert not others or "downstream" in words  # then nothing shows whether there is a mistake in layer 1, too
    assert all(word in str(explanation) for word in words)
    assert explanation.order == len(words)


@pytest.mark.parametrize(("text", "edits", "words"), NATURAL, ids=[", ".join(words) for _, _, words in NATURAL])
@pytest.mark.parametrize("loss", derivation.LOSSES)
def test_mistakes_are_named_in_the_form_in_which_people_make_them(text, edits, words, loss):
    """In forward mode, or as an order of statements: not as the checker itself would write them."""
    report = derivation.check(function(edits, text), np.random.default_rng(11), loss)
    assert not report
    ((_, (explanation,), _),) = report.findings
    assert all(word in str(explanation) for word in words)
    assert explanation.order == len(words)


def test_thirty_mistakes_are_planted():
    assert len(PLANTED) >= 30


def test_no_two_simple_explanations_give_the_same_numbers():
    """Otherwise two reports could not be distinguished; no two explanations stand for the same mistake."""
    _, inputs = derivation.sample_network(np.random.default_rng(8), derivation.SQUARE, "local")
    simple = [e for e in hypotheses.explanations(Paths()) if e.order <= 1]
    vectors = [np.concatenate([g.ravel() for g in e.apply(inputs, {}).values()]) for e in simple]
    for k, a in enumerate(vectors):
        for b in vectors[:k]:
            assert np.abs(a - b).max() > 1e-4 * np.abs(a).max()


def test_a_mistake_in_one_matrix_alone_is_named_for_that_matrix():
    edits = [("gI[l], p.S[l][n])", "gI[l], p.S[l][n - 1] * (n > 0))")]  # in dV only
    report = derivation.check(function(edits), np.random.default_rng(7))
    found = {names: [str(e) for e in explanations] for names, explanations, _ in report.findings}
    assert found[("W1",)] == [""] and found[("W2",)] == [""]
    assert found[("V1",)] == found[("V2",)] == ["presynaptic spike one step late: S[n-1] for S[n]"]
    assert "W1: exact" in str(report)


def test_numbers_that_nothing_explains_are_unexplained_and_the_worst_entry_is_named():
    def nonsense(p):
        wrong = function()(p)["W2"]
        wrong[1, 2] += 100.0
        return {"W2": wrong}

    report = derivation.check(nonsense, np.random.default_rng(7))
    assert "W2: unexplained, cosine to the exact gradient" in str(
        report
    ) and f"worst entry: W2[1, 2], got {report.worst.got:.9g}" in str(report)
    assert report.worst.got == pytest.approx(report.worst.exact + 100)


def test_what_is_right_for_equal_sizes_only_is_refused():
    def square(p):
        assert p.W[0].shape == p.W[1].shape, "sizes must be equal"
        return function()(p)

    with pytest.raises(InputError, match=r"raised AssertionError in line \d+ with W1 \(5, 3\).*sizes must be equal"):
        derivation.check(square, np.random.default_rng(7))


def test_what_is_right_for_equal_sizes_only_is_said_to_be():
    def square(p):
        found = function()(p)["W2"]
        return {"W2": found if p.W[0].shape == p.W[1].shape else 0 * found}

    report = derivation.check(square, np.random.default_rng(7))
    assert not report and not report.findings
    assert "right where all layers have the same size, wrong with W1 (5, 3) and W2 (4, 5)" in str(report)


def test_low_precision_is_not_blamed_on_a_mistake_and_can_be_accepted():
    def single(p):
        return {name: array.astype(np.float32) for name, array in function()(p).items()}

    report = derivation.check(single, np.random.default_rng(7), tolerance=1e-9)
    assert not report and not report.findings and "digits: float32, or finite differences?" in str(report)
    assert derivation.check(single, np.random.default_rng(7), tolerance=1e-4)


def test_an_exit_is_not_taken_for_success(tmp_path, capsys):
    file = tmp_path / "mine.py"
    for text in ("raise SystemExit(0)", "def gradient(p):\n    raise SystemExit(0)"):
        file.write_text(text)
        code, _, err = run(capsys, f"{file}:gradient")
        assert code == 2 and "raised SystemExit" in err


def test_the_line_named_is_one_of_the_users_file(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("import numpy as np\n\n\ndef gradient(p):\n    return np.linalg.inv(np.zeros((2, 3)))\n")
    code, _, err = run(capsys, f"{file}:gradient")
    assert code == 2 and "raised LinAlgError in line 5 " in err


def test_a_file_may_have_dataclasses_and_neighbours(tmp_path, capsys):
    (tmp_path / "neighbour_of_mine.py").write_text("sign = -1.0\n")
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\nimport neighbour_of_mine\n"
    (tmp_path / "mine.py").write_text(head + "@dataclass\nclass Note:\n    text: str\n" + RIGHT)
    code, out, _ = run(capsys, f"{tmp_path / 'mine.py'}:gradient")
    assert code == 0 and out.startswith("exact")


def test_a_derivation_may_spoil_what_it_was_given():
    def spoil(p):
        found = function()(p)
        p.W[:] = []
        return found

    assert derivation.check(spoil, np.random.default_rng(7))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda p: p.W[0], r"gradient: expected a dictionary with some of W1, W2, V1, V2, got ndarray"),
        (lambda p: {}, "gradient: expected a dictionary with some of"),
        (lambda p: {"W3": p.W[0]}, r"got \['W3'\]"),
        (lambda p: {"W1": p.W[0][:2]}, r"gradient W1: expected shape \(5, 5\), got \(2, 5\)"),
        (lambda p: {"W1": p.W[0] * np.nan}, r"gradient W1: expected finite numbers, got nan at index \(0, 0\)"),
        (lambda p: {"W1": "no"}, "gradient W1: expected finite numbers, got dtype"),
        (lambda p: {"W1": [[1, 2], [3]]}, "gradient W1: expected finite numbers, got rows of different lengths"),
        (lambda p: 1 / 0, r"gradient: raised ZeroDivisionError in line \d+ with W1 \(5, 5\)"),
    ],
)
def test_answers_that_cannot_be_judged_are_refused_in_one_line(answer, message):
    with pytest.raises(InputError, match=message):
        derivation.check(answer, np.random.default_rng(0))


def run(capsys, *arguments):
    code = main(["check-derivation", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_the_command_judges_a_file(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(RIGHT)
    code, out, _ = run(capsys, f"{file}:gradient")
    assert code == 0 and out.startswith("exact: W1, V1, W2, V2")
    file.write_text(source(SIGN))
    code, out, _ = run(capsys, f"{file}:gradient", "--loss", "local")
    assert code == 1 and "the sign is wrong" in out and "worst entry" in out


def test_the_template_runs_once_it_is_filled_in(tmp_path, capsys):
    code, text, _ = run(capsys, "--template")
    assert code == 0
    file = tmp_path / "mine.py"
    file.write_text(text)
    code, _, err = run(capsys, f"{file}:gradient")
    assert code == 2 and "raised NotImplementedError in line" in err and err.count("\n") == 1
    body = RIGHT.split("def gradient(p):\n")[1]
    file.write_text(text.split("    T = len(p.x)")[0] + body.replace(RETURN, 'return {"W2": dW[1]}'))
    code, out, _ = run(capsys, f"{file}:gradient")
    assert code == 0 and out.startswith("exact: W2")


@pytest.mark.parametrize(
    ("reference", "text", "message"),
    [
        ("mine.py", "", "expected FILE:FUNCTION, got mine.py"),
        ("other.py:f", "", "expected a Python file, got other.py, which is not there"),
        ("mine.py:f", "x = 1", "expected a function f in mine.py, got none"),
        ("mine.py:f", "import nothing_of_this_name", "mine.py: raised ModuleNotFoundError"),
        ("mine.py:f", "def f(p:", "mine.py: raised SyntaxError"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_one_line(reference, text, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(text)
    code, out, err = run(capsys, reference)
    assert code == 2 and message in err and err.count("\n") == 1 and not out
