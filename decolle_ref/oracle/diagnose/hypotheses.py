"""Known mistakes, which may explain an equation that does not hold.

A hypothesis is a mutant of the equation with a name in words.  Its bound follows from its own expression, as that of
the right equation does.  It is *consistent with* the numbers if they meet it at all steps of the layer, and if it
differs from the right equation by more than both bounds together can hide.  This is not a proof: other mistakes may
give the same numbers, and a mistake that is not in the table is consistent with none.

>>> "U adds R" in HYPOTHESES["U"]
True
"""

from dataclasses import replace

import numpy as np

from decolle_ref._util.verdict import beyond, within
from decolle_ref.decolle.objective import smooth_l1, squared_error
from decolle_ref.decolle.optim import SGD
from decolle_ref.decolle.surrogate import above_threshold, at_threshold, logistic
from decolle_ref.oracle.check import equations, learning, residual
from decolle_ref.oracle.check.equations import Equation
from decolle_ref.oracle.check.error_bounds import Arithmetic, Bounded, exact
from decolle_ref.oracle.check.residual import Failure, Slot
from decolle_ref.oracle.diagnose.mutants import (
    accumulated,
    averaged,
    drive,
    earlier,
    filtered,
    gain_of,
    gain_twice,
    if_same_shape,
    later,
    refractory,
    scaled,
    sloped,
    transposed,
    transposed_W,
    where_gains,
    with_case,
    with_dialect,
    with_layer,
    with_objective,
    with_operands,
    with_optimiser,
    with_rate_of,
    with_surrogate,
    with_trace,
    without_step,
)
from decolle_ref.oracle.trace import Trace


def explain(trace: Trace, failure: Failure) -> list[str]:
    """The hypotheses that the numbers of the failing equation are consistent with.

    Parameters
    ----------
    trace : the trace that failed, of level L2
    failure : from its verdict; names the layer and the equation

    Returns
    -------
    list of str
        Names from HYPOTHESES; each holds at all steps of the layer.
    """
    operands, arithmetic = trace.layers[failure.layer - 1], Arithmetic(trace.profile)
    mutants = HYPOTHESES.get(failure.equation, {})
    with np.errstate(all="ignore"):  # numbers near the end of the range may overflow; these are consistent with nothing
        (slot,) = residual.evaluate(failure.layer, operands, arithmetic, [failure.equation])
        return [name for name, mutant in mutants.items() if consistent(mutant(operands, arithmetic), slot)]


def consistent(mutant: Bounded, right: Slot) -> bool:
    """Do the numbers meet the mutant everywhere, though they cannot meet both it and the right equation?

    Parameters
    ----------
    mutant : the mutant's values with their bound, (T, ...)
    right : the numbers of the trace, and the right equation's values with their bound

    Returns
    -------
    bool
        True only if somewhere the mutant and the right equation differ by more than twice the larger bound.
    """
    meets = within(right.got, mutant.value, mutant.err)
    differs = beyond(mutant.value, right.expected, 2 * np.maximum(mutant.err, right.bound))
    return bool(meets.all() and differs.any())


def _updates(name: str, other: str) -> dict[str, Equation]:
    equation, rate, gradient = learning.UPDATE[name], f"rate_{name}", f"d{name}"
    return {
        f"{name} moves uphill": with_case(equation, **{rate: np.negative}),
        f"{name} moves twice as far": with_case(equation, **{rate: lambda x: 2 * x}),
        f"{name} does not learn": with_operands(equation, learns=lambda x: np.zeros_like(x.learns)),
        f"{name} learns before burn_in": with_operands(equation, learns=lambda x: np.ones_like(x.learns)),
        f"{name} learns from the gradient of the step before": with_trace(
            equation, **{gradient: lambda x: equations.shifted(x.trace[gradient])}
        ),
        f"{name} learns at the rate of {other}": with_rate_of(equation, name, other),
        f"{name}: Adamax without its maximum": with_optimiser(equation, lambda adamax: replace(adamax, beta2=0.0)),
        f"{name}: SGD for Adamax": with_optimiser(equation, lambda adamax: SGD()),
    }


HYPOTHESES: dict[str, dict[str, Equation]] = {
    "Q": {
        "Q decays with alpha": filtered("Q", "alpha", gain_of("beta")),
        "Q decays with alpha, and takes its gain from it": where_gains(
            filtered("Q", "alpha", gain_of("alpha")), equations.Q
        ),
        "Q without its gain": with_dialect(equations.Q, gains="one"),
        "Q with its gain twice": filtered("Q", "beta", gain_twice("beta")),
        "Q with the gain 1 - beta": with_dialect(equations.Q, gains="leak"),
        "Q with the gain 1 / (1 - beta)": with_dialect(equations.Q, gains="inverse"),
        "Q hears its input one step late": with_operands(
            equations.Q, spikes_in=lambda x: equations.shifted(x.spikes_in)
        ),
    },
    "P": {
        "P decays with beta": filtered("P", "beta", gain_of("alpha")),
        "P decays with beta, and takes its gain from it": where_gains(
            filtered("P", "beta", gain_of("beta")), equations.P
        ),
        "P without its gain": with_dialect(equations.P, gains="one"),
        "P with its gain twice": filtered("P", "alpha", gain_twice("alpha")),
        "P with the gain 1 - alpha": with_dialect(equations.P, gains="leak"),
        "P with the gain 1 / (1 - alpha)": with_dialect(equations.P, gains="inverse"),
        "P reads old for new Q, or new for old": with_layer(
            equations.P, neuron=lambda layer: layer.neuron._replace(P_reads=1 - layer.neuron.P_reads)
        ),
    },
    "R": {
        "R does not decay": with_case(equations.R, gamma=np.ones_like),
        "R forgets what was left of it": with_case(equations.R, gamma=np.zeros_like),
        "R takes up the spike before it decays": refractory(lambda a, gamma, R, S, w: a.multiply(gamma, a.add(R, S))),
        "R takes up the spike times delta": refractory(
            lambda a, gamma, R, S, w: a.add(a.multiply(gamma, R), a.multiply(w, S))
        ),
        "R counts spikes downwards": refractory(lambda a, gamma, R, S, w: a.subtract(a.multiply(gamma, R), S)),
    },
    "U": {
        "U without b": with_trace(equations.U, b=lambda x: np.zeros_like(x.weights()[1])),
        "U adds R": with_case(equations.U, w=np.negative),
        "U without R": with_trace(equations.U, R=lambda x: np.zeros_like(x.trace["R"])),
        "U with delta = w": with_dialect(equations.U, refractory="w"),
        "U with delta = gamma w": with_dialect(equations.U, refractory="gamma_w"),
        "U with delta = (1 - gamma) w": with_dialect(equations.U, refractory="leak_w"),
        "U reads P of the step before": without_step("U", with_trace(equations.U, P=earlier("P")), 0),
        "U reads P of the step after": without_step("U", with_trace(equations.U, P=later("P")), -1),
        "U reads R of the step after": without_step("U", with_trace(equations.U, R=later("R")), -1),
        "U with W transposed": with_trace(equations.U, W=transposed_W),
    },
    "S": {
        "S = 1 only above the threshold": with_surrogate(equations.S, spike=above_threshold),
        "S = 1 at the threshold too": with_surrogate(equations.S, spike=at_threshold),
    },
    "Y": {
        "Y without c": with_case(equations.Y, c=np.zeros_like),
        "Y reads S": with_layer(equations.Y, activity=lambda layer: "spike"),
        "Y reads sigma(U)": with_layer(equations.Y, activity=lambda layer: "primitive"),
        "Y reads the logistic function of U": with_surrogate(equations.Y, primitive=logistic.primitive),
    },
    "e": {
        "e without the factor of the mean": with_objective(learning.e, reduction="sum"),
        "e with the factor of a mean": with_objective(learning.e, reduction="mean"),
        "e averaged over the batch alone": averaged(with_objective(learning.e, reduction="sum")),
        "e with the wrong sign": scaled(learning.e, -1.0),
        "e twice too large, as of (Y - target)^2": scaled(learning.e, 2.0),
        "e of the squared error": with_objective(learning.e, loss=squared_error),
        "e clipped, as of the smooth L1 loss": with_objective(learning.e, loss=smooth_l1),
    },
    "delta": {
        "delta without sigma'": lambda operands, arithmetic: learning.backward(
            operands, arithmetic, exact(np.ones_like(operands.u))
        ),
        "delta with sigma for sigma'": with_layer(
            learning.delta, surrogate=lambda layer: replace(layer.surrogate, derivative=layer.surrogate.primitive)
        ),
        "delta with sigma' of the logistic function": with_surrogate(learning.delta, derivative=logistic.derivative),
        "sigma' at W P + b": sloped(drive),
        "sigma' at S": sloped(lambda operands, arithmetic: exact(operands.trace["S"])),
        "delta with e for G^T e": with_case(learning.delta, G=lambda G: if_same_shape(np.eye(len(G)), G)),
        "G not transposed": with_case(learning.delta, G=lambda G: if_same_shape(G.T, G)),
        "delta without the regularisers": with_objective(learning.delta, regulariser=None),
        "delta with the wrong sign": scaled(learning.delta, -1.0),
    },
    "dW": {
        "dW from P of the step before": without_step("dW", with_trace(learning.dW, P=earlier("P")), 0),
        "dW from P of the step after": without_step("dW", with_trace(learning.dW, P=later("P")), -1),
        "dW from Q": with_trace(learning.dW, P=lambda x: x.trace["Q"]),
        "dW from the input": with_trace(learning.dW, P=lambda x: x.spikes_in),
        "dW averaged over the batch": averaged(learning.dW),
        "dW transposed": transposed(learning.dW),
        "dW with the wrong sign": scaled(learning.dW, -1.0),
        "dW added to that of the steps before": accumulated(learning.dW),
    },
    "db": {
        "db averaged over the batch": averaged(learning.db),
        "db with the wrong sign": scaled(learning.db, -1.0),
        "db added to that of the steps before": accumulated(learning.db),
    },
    "W": _updates("W", "b"),
    "b": _updates("b", "W"),
}
