"""Which slip explains an equation that does not hold?  Named hypotheses, each with a bound of its own.

A slip is the same equation on other operands, or the right result with a factor: so its bound follows from its own
expression, as that of the right equation does.  It is *consistent with* the numbers if they meet it at all steps of the
layer, and if it differs from the right equation by more than both bounds together can hide.  That is a hypothesis, not
a proof: other slips may give the same numbers, and an error that is not in the table is consistent with none.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.cases import Case
from decolle_ref.decolle.objective import smooth_l1, squared_error
from decolle_ref.decolle.optim import SGD
from decolle_ref.decolle.surrogate import above_threshold, at_threshold, logistic
from decolle_ref.oracle.check import equations, learning, residual
from decolle_ref.oracle.check.equations import Equation
from decolle_ref.oracle.check.error_bounds import Approx, Arithmetic, exact
from decolle_ref.oracle.check.residual import Failure, Slot
from decolle_ref.oracle.diagnose.mutants import (
    accumulated,
    at_rest,
    but_first,
    but_last,
    drive,
    gain_of,
    gain_twice,
    given,
    later,
    layer,
    objective,
    on,
    optimised,
    rate,
    refractory,
    shared,
    sloped,
    speaking,
    square,
    surrogate,
    swapped,
    times,
    trace,
    transposed,
    with_gains,
    wrote,
)
from decolle_ref.oracle.profile import Profile


def explain(case: Case, shown: Mapping[str, Array], profile: Profile, failure: Failure) -> list[str]:
    """The slips that the numbers of the failing equation are consistent with, in its layer at all steps.

    Raises InputError for a trace that `residual.check` refuses.
    """
    operands = residual.layers(case, residual.validate(case, shown))[failure.layer - 1]
    arithmetic = Arithmetic(profile)
    (slot,) = residual.evaluate(failure.layer, operands, arithmetic, [failure.equation])
    slips = SLIPS.get(failure.equation, {})
    return [name for name, slip in slips.items() if consistent(slip(operands, arithmetic), slot)]


def consistent(slip: Approx, right: Slot) -> bool:
    """Do the numbers meet the slip everywhere, and does it differ from the right equation by more than twice the bound?

    Then they cannot meet both.
    """
    meets = np.abs(right.got - slip.value) <= slip.err
    differs = np.abs(slip.value - right.expected) > 2 * np.maximum(slip.err, right.bound)
    return bool(meets.all() and differs.any())


def _updates(name: str, other: str) -> dict[str, Equation]:
    equation, lr, gradient = learning.UPDATE[name], f"rate_{name}", f"d{name}"
    return {
        f"{name} moves uphill": on(equation, given(**{lr: lambda o: -o.case[lr]})),
        f"{name} moves twice as far": on(equation, given(**{lr: lambda o: 2 * o.case[lr]})),
        f"{name} does not learn": on(equation, lambda o: replace(o, learns=np.zeros_like(o.learns))),
        f"{name} learns before burn_in": on(equation, lambda o: replace(o, learns=np.ones_like(o.learns))),
        f"{name} learns from the gradient of the step before": on(
            equation, wrote(**{gradient: lambda o: equations.shifted(o.shown[gradient])})
        ),
        f"{name} learns at the rate of {other}": on(equation, rate(name, other)),
        f"{name}: Adamax without its maximum": on(equation, optimised(lambda adamax: replace(adamax, beta2=0.0))),
        f"{name}: SGD for Adamax": on(equation, optimised(lambda adamax: SGD())),
    }


SLIPS: dict[str, dict[str, Equation]] = {
    "Q": {
        "Q decays with alpha": trace("Q", "alpha", gain_of("beta")),
        "Q decays with alpha, and takes its gain from it": with_gains(
            trace("Q", "alpha", gain_of("alpha")), equations.Q
        ),
        "Q without its gain": on(equations.Q, speaking(gains="one")),
        "Q with its gain twice": trace("Q", "beta", gain_twice("beta")),
        "Q with the gain 1 - beta": on(equations.Q, speaking(gains="leak")),
        "Q with the gain 1 / (1 - beta)": on(equations.Q, speaking(gains="inverse")),
        "Q hears its input one step late": on(
            equations.Q, lambda o: replace(o, spikes_in=equations.shifted(o.spikes_in))
        ),
    },
    "P": {
        "P decays with beta": trace("P", "beta", gain_of("alpha")),
        "P decays with beta, and takes its gain from it": with_gains(trace("P", "beta", gain_of("beta")), equations.P),
        "P without its gain": on(equations.P, speaking(gains="one")),
        "P with its gain twice": trace("P", "alpha", gain_twice("alpha")),
        "P with the gain 1 - alpha": on(equations.P, speaking(gains="leak")),
        "P with the gain 1 / (1 - alpha)": on(equations.P, speaking(gains="inverse")),
        "P reads old for new Q, or new for old": on(
            equations.P, layer(neuron=lambda own: own.neuron._replace(P_reads=1 - own.neuron.P_reads))
        ),
    },
    "R": {
        "R does not decay": on(equations.R, given(gamma=lambda o: np.ones_like(o.case["gamma"]))),
        "R forgets what was left of it": on(equations.R, given(gamma=lambda o: at_rest(o.case["gamma"]))),
        "R takes up the spike before it decays": refractory(lambda a, gamma, R, S, w: a.multiply(gamma, a.add(R, S))),
        "R takes up the spike times delta": refractory(
            lambda a, gamma, R, S, w: a.add(a.multiply(gamma, R), a.multiply(w, S))
        ),
        "R counts spikes downwards": refractory(lambda a, gamma, R, S, w: a.subtract(a.multiply(gamma, R), S)),
    },
    "U": {
        "U without b": on(equations.U, wrote(b=lambda o: np.zeros((len(o.spikes_in), *o.case["b"].shape)))),
        "U adds R": on(equations.U, given(w=lambda o: -o.case["w"])),
        "U without R": on(equations.U, wrote(R=lambda o: at_rest(o.shown["R"]))),
        "U with delta = w": on(equations.U, speaking(refractory="w")),
        "U with delta = gamma w": on(equations.U, speaking(refractory="gamma_w")),
        "U with delta = (1 - gamma) w": on(equations.U, speaking(refractory="leak_w")),
        "U reads P of the step before": but_first(on(equations.U, wrote(P=lambda o: o.before("P")))),
        "U reads P of the step after": but_last(on(equations.U, wrote(P=later("P")))),
        "U reads R of the step after": but_last(on(equations.U, wrote(R=later("R")))),
        "U with W transposed": on(equations.U, wrote(W=transposed)),
    },
    "S": {
        "S = 1 only above the threshold": on(equations.S, surrogate("spike", lambda own: above_threshold)),
        "S = 1 at the threshold too": on(equations.S, surrogate("spike", lambda own: at_threshold)),
    },
    "Y": {
        "Y without c": on(equations.Y, given(c=lambda o: at_rest(o.case["c"]))),
        "Y reads S": on(equations.Y, layer(activity=lambda own: "spike")),
        "Y reads sigma(U)": on(equations.Y, layer(activity=lambda own: "primitive")),
        "Y reads the logistic function of U": on(equations.Y, surrogate("primitive", lambda own: logistic.primitive)),
    },
    "e": {
        "e without the factor of the mean": on(learning.e, objective(reduction="sum")),
        "e with the factor of a mean": on(learning.e, objective(reduction="mean")),
        "e averaged over the batch alone": shared(on(learning.e, objective(reduction="sum"))),
        "e with the wrong sign": times(learning.e, -1.0),
        "e twice too large, as of (Y - target)^2": times(learning.e, 2.0),
        "e of the squared error": on(learning.e, objective(loss=squared_error)),
        "e clipped, as of the smooth L1 loss": on(learning.e, objective(loss=smooth_l1)),
    },
    "delta": {
        "delta without sigma'": lambda o, arithmetic: learning.backward(o, arithmetic, exact(np.ones_like(o.u))),
        "delta with sigma for sigma'": on(learning.delta, surrogate("derivative", lambda own: own.primitive)),
        "delta with sigma' of the logistic function": on(
            learning.delta, surrogate("derivative", lambda own: logistic.derivative)
        ),
        "sigma' at W P + b": sloped(drive),
        "sigma' at S": sloped(lambda o, arithmetic: exact(o.shown["S"])),
        "delta with e for G^T e": on(learning.delta, given(G=lambda o: square(np.eye(len(o.case["G"])), o.case["G"]))),
        "G not transposed": on(learning.delta, given(G=lambda o: square(o.case["G"].T, o.case["G"]))),
        "delta without the regularisers": on(learning.delta, objective(regulariser=None)),
        "delta with the wrong sign": times(learning.delta, -1.0),
    },
    "dW": {
        "dW from P of the step before": but_first(on(learning.dW, wrote(P=lambda o: o.before("P")))),
        "dW from P of the step after": but_last(on(learning.dW, wrote(P=later("P")))),
        "dW from Q": on(learning.dW, wrote(P=lambda o: o.shown["Q"])),
        "dW from the input": on(learning.dW, wrote(P=lambda o: o.spikes_in)),
        "dW averaged over the batch": shared(learning.dW),
        "dW transposed": swapped(learning.dW),
        "dW with the wrong sign": times(learning.dW, -1.0),
        "dW added to that of the steps before": accumulated(learning.dW),
    },
    "db": {
        "db averaged over the batch": shared(learning.db),
        "db with the wrong sign": times(learning.db, -1.0),
        "db added to that of the steps before": accumulated(learning.db),
    },
    "W": _updates("W", "b"),
    "b": _updates("b", "W"),
}
