"""The smallest backend, with one mistake in it: the equations in NumPy, from a case that decolle_ref has read.

`decolle-ref oracle run examples/wrong_backend.py:backend` finds the mistake; repaired, it passes every vector.  Your
own backend would run its own program in place of the loop, and return its numbers under the same names.
"""

import numpy as np

from decolle_ref.cases import Case


def backend(about, arrays):
    """Run a case: (the content of case.json, its arrays by name) -> the trace's arrays by name, time first."""
    case, recorded = Case(about, arrays), {}
    layers, learner, start = case.network(), case.learner(), case.start()
    weights, states, memory, updates = start.weights, [*start.state], start.opt_state, start.updates
    for n in range(about["steps"]):
        S, shown = case.inputs[n].astype(about["dtype"]), []
        for k, layer in enumerate(layers):
            new, seen, u, winners = forward(layer, weights[k], states[k], S)
            if about["targets"]:
                seen |= backward(layer, seen, u, winners, arrays[f"layer{k + 1}_target"][n])
            if learner:
                seen |= weights[k]._asdict()
            states[k], S = new, seen["S"]
            shown.append(seen)
        for k, seen in enumerate(shown, start=1):
            for name, array in seen.items():
                recorded.setdefault(f"layer{k}_{name}", []).append(array)
        if learner and start.n + n >= learner.burn_in:
            deltas, traces = ([seen[x] for seen in shown] for x in ("delta", "P"))
            weights, memory = learner.update([x.synapse for x in layers], weights, memory, deltas, traces, updates)
            updates += 1
    final = {f"layer{k}_{x}_final": array for k, w in enumerate(weights, start=1) for x, array in w._asdict().items()}
    return {name: np.stack(rows) for name, rows in recorded.items()} | final


def forward(layer, weights, state, S_in):
    """Q, P, R -> U, S, Y; returns the new state, what to show, u = U (pooled), and the winners of the pool."""
    of, (P, Q, R) = layer.neuron, state
    new_Q = of.beta * Q + of.gain_Q * S_in
    new_P = of.alpha * P + (new_Q if of.P_reads else Q)  # the mistake: Q goes into P without its gain, of.gain_P
    if of.U_reads:
        P, Q = new_P, new_Q
    U = layer.synapse.drive(weights, P) - of.delta * R
    winners = layer.pool.winners(layer.pool_key(U)) if layer.pool else None
    u = layer.pool.pick(U, winners) if layer.pool else U
    read = getattr(layer.surrogate, layer.activity)(u)  # sigma(u), or spikes
    Y = read @ layer.readout.G.T + layer.readout.c
    new = type(state)(new_P, new_Q, of.gamma * R + layer.surrogate.spike(U))
    return new, {"Q": Q, "P": P, "R": R, "U": U, "S": layer.surrogate.spike(u), "Y": Y}, u, winners


def backward(layer, seen, u, winners, target):
    """e = dL/dY, delta = (G^T e) sigma'(u) + regularisers, dW = delta (x) P, db = delta."""
    e = layer.objective.error(seen["Y"], target)
    delta = (e @ layer.readout.G) * layer.surrogate.derivative(u) + layer.objective.penalty(u, layer.surrogate)
    if layer.pool:
        delta = layer.pool.route(delta, winners)
    dW, db = layer.synapse.gradient(delta, seen["P"])
    return {"e": e, "delta": delta, "dW": dW, "db": db}


backend.profile = {"name": "NumPy, with a mistake", "format": "float32"}
