"""Which known mistake explains an equation that does not hold?

A hypothesis is a mutant of the equation with a name in words.  Its bound follows from its own expression, as that of
the right equation does.  It is *consistent with* the numbers if they meet it at all steps of the layer, and if it
differs from the right equation by more than both bounds together can hide.  This is not a proof: other mistakes may
give the same numbers, and a mistake that is not in the table is consistent with none.

>>> "U adds R" in HYPOTHESES["U"]
True
"""

from dataclasses import replace

import numpy as np

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
    changed,
    drive,
    earlier,
    except_first,
    except_last,
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
    with_optimiser,
    with_rate_of,
    with_surrogate,
    with_trace,
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
    (slot,) = residual.evaluate(failure.layer, operands, arithmetic, [failure.equation])
    mutants = HYPOTHESES.get(failure.equation, {})
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
    meets = np.abs(right.got - mutant.value) <= mutant.err
    differs = np.abs(mutant.value - right.expected) > 2 * np.maximum(mutant.err, right.bound)
    return bool(meets.all() and differs.any())


def _updates(name: str, other: str) -> dict[str, Equation]:
    equation, rate, gradient = learning.UPDATE[name], f"rate_{name}", f"d{name}"
    return {
        f"{name} moves uphill": changed(equation, with_case(**{rate: np.negative})),
        f"{name} moves twice as far": changed(equation, with_case(**{rate: lambda x: 2 * x})),
        f"{name} does not learn": changed(
            equation, lambda operands: replace(operands, learns=np.zeros_like(operands.learns))
        ),
        f"{name} learns before burn_in": changed(
            equation, lambda operands: replace(operands, learns=np.ones_like(operands.learns))
        ),
        f"{name} learns from the gradient of the step before": changed(
            equation, with_trace(**{gradient: lambda operands: equations.shifted(operands.trace[gradient])})
        ),
        f"{name} learns at the rate of {other}": changed(equation, with_rate_of(name, other)),
        f"{name}: Adamax without its maximum": changed(
            equation, with_optimiser(lambda adamax: replace(adamax, beta2=0.0))
        ),
        f"{name}: SGD for Adamax": changed(equation, with_optimiser(lambda adamax: SGD())),
    }


HYPOTHESES: dict[str, dict[str, Equation]] = {
    "Q": {
        "Q decays with alpha": filtered("Q", "alpha", gain_of("beta")),
        "Q decays with alpha, and takes its gain from it": where_gains(
            filtered("Q", "alpha", gain_of("alpha")), equations.Q
        ),
        "Q without its gain": changed(equations.Q, with_dialect(gains="one")),
        "Q with its gain twice": filtered("Q", "beta", gain_twice("beta")),
        "Q with the gain 1 - beta": changed(equations.Q, with_dialect(gains="leak")),
        "Q with the gain 1 / (1 - beta)": changed(equations.Q, with_dialect(gains="inverse")),
        "Q hears its input one step late": changed(
            equations.Q, lambda operands: replace(operands, spikes_in=equations.shifted(operands.spikes_in))
        ),
    },
    "P": {
        "P decays with beta": filtered("P", "beta", gain_of("alpha")),
        "P decays with beta, and takes its gain from it": where_gains(
            filtered("P", "beta", gain_of("beta")), equations.P
        ),
        "P without its gain": changed(equations.P, with_dialect(gains="one")),
        "P with its gain twice": filtered("P", "alpha", gain_twice("alpha")),
        "P with the gain 1 - alpha": changed(equations.P, with_dialect(gains="leak")),
        "P with the gain 1 / (1 - alpha)": changed(equations.P, with_dialect(gains="inverse")),
        "P reads old for new Q, or new for old": changed(
            equations.P, with_layer(neuron=lambda layer: layer.neuron._replace(P_reads=1 - layer.neuron.P_reads))
        ),
    },
    "R": {
        "R does not decay": changed(equations.R, with_case(gamma=np.ones_like)),
        "R forgets what was left of it": changed(equations.R, with_case(gamma=np.zeros_like)),
        "R takes up the spike before it decays": refractory(lambda a, gamma, R, S, w: a.multiply(gamma, a.add(R, S))),
        "R takes up the spike times delta": refractory(
            lambda a, gamma, R, S, w: a.add(a.multiply(gamma, R), a.multiply(w, S))
        ),
        "R counts spikes downwards": refractory(lambda a, gamma, R, S, w: a.subtract(a.multiply(gamma, R), S)),
    },
    "U": {
        "U without b": changed(equations.U, with_trace(b=lambda operands: np.zeros_like(operands.weights()[1]))),
        "U adds R": changed(equations.U, with_case(w=np.negative)),
        "U without R": changed(equations.U, with_trace(R=lambda operands: np.zeros_like(operands.trace["R"]))),
        "U with delta = w": changed(equations.U, with_dialect(refractory="w")),
        "U with delta = gamma w": changed(equations.U, with_dialect(refractory="gamma_w")),
        "U with delta = (1 - gamma) w": changed(equations.U, with_dialect(refractory="leak_w")),
        "U reads P of the step before": except_first(changed(equations.U, with_trace(P=earlier("P")))),
        "U reads P of the step after": except_last(changed(equations.U, with_trace(P=later("P")))),
        "U reads R of the step after": except_last(changed(equations.U, with_trace(R=later("R")))),
        "U with W transposed": changed(equations.U, with_trace(W=transposed_W)),
    },
    "S": {
        "S = 1 only above the threshold": changed(equations.S, with_surrogate(spike=above_threshold)),
        "S = 1 at the threshold too": changed(equations.S, with_surrogate(spike=at_threshold)),
    },
    "Y": {
        "Y without c": changed(equations.Y, with_case(c=np.zeros_like)),
        "Y reads S": changed(equations.Y, with_layer(activity=lambda layer: "spike")),
        "Y reads sigma(U)": changed(equations.Y, with_layer(activity=lambda layer: "primitive")),
        "Y reads the logistic function of U": changed(equations.Y, with_surrogate(primitive=logistic.primitive)),
    },
    "e": {
        "e without the factor of the mean": changed(learning.e, with_objective(reduction="sum")),
        "e with the factor of a mean": changed(learning.e, with_objective(reduction="mean")),
        "e averaged over the batch alone": averaged(changed(learning.e, with_objective(reduction="sum"))),
        "e with the wrong sign": scaled(learning.e, -1.0),
        "e twice too large, as of (Y - target)^2": scaled(learning.e, 2.0),
        "e of the squared error": changed(learning.e, with_objective(loss=squared_error)),
        "e clipped, as of the smooth L1 loss": changed(learning.e, with_objective(loss=smooth_l1)),
    },
    "delta": {
        "delta without sigma'": lambda operands, arithmetic: learning.backward(
            operands, arithmetic, exact(np.ones_like(operands.u))
        ),
        "delta with sigma for sigma'": changed(
            learning.delta,
            with_layer(surrogate=lambda layer: replace(layer.surrogate, derivative=layer.surrogate.primitive)),
        ),
        "delta with sigma' of the logistic function": changed(
            learning.delta, with_surrogate(derivative=logistic.derivative)
        ),
        "sigma' at W P + b": sloped(drive),
        "sigma' at S": sloped(lambda operands, arithmetic: exact(operands.trace["S"])),
        "delta with e for G^T e": changed(learning.delta, with_case(G=lambda G: if_same_shape(np.eye(len(G)), G))),
        "G not transposed": changed(learning.delta, with_case(G=lambda G: if_same_shape(G.T, G))),
        "delta without the regularisers": changed(learning.delta, with_objective(regulariser=None)),
        "delta with the wrong sign": scaled(learning.delta, -1.0),
    },
    "dW": {
        "dW from P of the step before": except_first(changed(learning.dW, with_trace(P=earlier("P")))),
        "dW from P of the step after": except_last(changed(learning.dW, with_trace(P=later("P")))),
        "dW from Q": changed(learning.dW, with_trace(P=lambda operands: operands.trace["Q"])),
        "dW from the input": changed(learning.dW, with_trace(P=lambda operands: operands.spikes_in)),
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
