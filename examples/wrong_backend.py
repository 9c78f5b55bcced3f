"""The smallest backend, with one mistake: the equations in NumPy, on a case that decolle_ref has parsed.

`decolle-ref oracle run examples/wrong_backend.py:backend` finds the mistake; without it the backend passes every
vector.  Your own backend would run its own program in place of the loop, and return its numbers by the same names.
"""

import numpy as np

from decolle_ref.cases import Case
from decolle_ref.decolle.layer import regularisers


def backend(about, arrays):
    """Run a case: (contents of case.json, arrays by name) -> arrays of the trace by name, time first."""
    case, trace = Case(about, arrays), {}
    layers, learner, start = case.network(), case.learner(), case.start()
    synapses = [layer.synapse for layer in layers]
    weights, states, opt_state, updates = start.weights, [*start.state], start.opt_state, start.updates
    for n in range(about["steps"]):
        S, rows = case.inputs[n].astype(about["dtype"]), []
        for k, layer in enumerate(layers):
            new_state, row, u, winners = forward(layer, weights[k], states[k], S)
            if about["targets"]:
                row |= backward(layer, row, u, winners, arrays[f"layer{k + 1}_target"][n])
            if learner:
                row |= weights[k]._asdict()
            states[k], S = new_state, row["S"]
            rows.append(row)
        for k, row in enumerate(rows, start=1):
            for name, array in row.items():
                trace.setdefault(f"layer{k}_{name}", []).append(array)
        if learner and start.n + n >= learner.burn_in:
            deltas, traces = ([row[x] for row in rows] for x in ("delta", "P"))
            weights, opt_state = learner.update(synapses, weights, opt_state, deltas, traces, updates)
            updates += 1
    final = {f"layer{k}_{x}_final": array for k, w in enumerate(weights, start=1) for x, array in w._asdict().items()}
    return {name: np.stack(steps) for name, steps in trace.items()} | final


def forward(layer, weights, state, S_in):
    """Q, P, R -> U, S, Y.  Returns the new state, a row of the trace, u (U after the pool), and the pool's winners."""
    neuron, (P, Q, R) = layer.neuron, state
    new_Q = neuron.beta * Q + neuron.gain_Q * S_in
    # the mistake: P takes Q without the gain, neuron.gain_P
    new_P = neuron.alpha * P + (new_Q if neuron.P_reads else Q)
    if neuron.U_reads:
        P, Q = new_P, new_Q
    U = layer.synapse.drive(weights, P) - neuron.delta * R
    winners = layer.pool.winners(layer.pool_key(U)) if layer.pool else None
    u = layer.pool.pick(U, winners) if layer.pool else U
    read = getattr(layer.surrogate, layer.activity)(u)  # sigma(u), or the spikes
    Y = read @ layer.readout.G.T + layer.readout.c
    new_state = type(state)(new_P, new_Q, neuron.gamma * R + layer.surrogate.spike(U))
    return new_state, {"Q": Q, "P": P, "R": R, "U": U, "S": layer.surrogate.spike(u), "Y": Y}, u, winners


def backward(layer, row, u, winners, target):
    """e = dL/dY, delta = (G^T e) sigma'(u) + regularisers, dW = delta (x) P, db = delta."""
    e = layer.objective.error(row["Y"], target)
    of_u, of_U = regularisers(layer)
    delta = (e @ layer.readout.G) * layer.surrogate.derivative(u)
    if of_u:
        delta = delta + of_u.derivative(u, layer.rate_of(layer.surrogate))
    if layer.pool:
        delta = layer.pool.route(delta, winners)
    if of_U:
        delta = delta + of_U.derivative(row["U"], layer.rate_of(layer.surrogate))
    dW, db = layer.synapse.gradient(delta, row["P"])
    return {"e": e, "delta": delta, "dW": dW, "db": db}


backend.profile = {"name": "NumPy, with a mistake", "format": "float32"}
