"""A DECOLLE network in any number format, computed in many valid ways.

    make(profile, variation) -> backend(about, arrays)

Every operation is followed by a rounding to the profile's format; arrays are float64 and hold numbers of the format.
`profile` is what the implementation declares: `variation.declared(profile)` of the format that it is tried in.
A `Variation` (variations.py) is one of the valid ways to compute the equations; faulty_backends.py has the faults.
"""

from types import SimpleNamespace

import numpy as np

from decolle_ref.cases import Case
from decolle_ref.decolle.dialects import AXES
from decolle_ref.decolle.surrogate import SURROGATES
from tests.support import kept_numbers as kept
from tests.support.variant_synapse import Connections
from tests.support.variations import VALID_VARIANTS, Machine

SIGMAS = SURROGATES | {name: option.value for name, option in AXES["surrogate"].items()}


def make(profile, variation=VALID_VARIANTS["plain"], fault=None):
    """A backend; `fault`, if there is one, changes every layer before the run."""

    def backend(about, arrays):
        machine = Machine(profile, variation)

        def layers_of_case():
            made = [_layer(machine, about, arrays, k) for k in range(len(about["layers"]))]
            for layer in made if fault else ():
                fault(layer)
            return made

        layers = layers_of_case()
        records = [{} for _ in layers]
        for n in range(about["steps"]):
            if variation.split and n == about["steps"] // 2:
                layers = [resumed(new, old) for new, old in zip(layers_of_case(), layers, strict=True)]
            spikes = np.asarray(arrays["inputs"][n], np.float64)
            for layer, record in zip(layers, records, strict=True):
                layer.now = about.get("n", 0) + n
                row = layer.step(layer, spikes, layer.target[n])
                layer.state, layer.last = row.pop("after"), row
                layer.learn(layer, row)
                for name, x in layer.shown(layer, row).items():
                    record.setdefault(name, []).append(profile.quantise(x))
                spikes = row["S"]
        trace = {f"layer{k}_{name}": np.stack(x) for k, record in enumerate(records, 1) for name, x in record.items()}
        last = [layer.shown(layer, {"W": layer.W, "b": layer.b}) for layer in layers]
        ends = {f"layer{k}_{x}_final": profile.quantise(end[x]) for k, end in enumerate(last, 1) for x in "Wb"}
        return trace | ends if about["learn"] else trace

    return backend


def resumed(new, old):
    """A layer of another run, which goes on from what the first one stored."""
    for name in ("state", "W", "b", "moments", "count", "last"):
        setattr(new, name, getattr(old, name))
    return new


def _layer(m, about, arrays, k):
    """Constants, state and operations of layer k."""
    lead = f"layer{k + 1}_"
    case_arrays = {name.removeprefix(lead): x.astype(np.float64) for name, x in arrays.items() if name.startswith(lead)}
    entry, dialect = about["layers"][k], Case(about, arrays).dialect()
    layer = SimpleNamespace(m=m, about=entry, **case_arrays)
    layer.new_P, layer.new_U = dialect.P_reads == "new_Q", dialect.U_reads == "new_P"
    layer.sigma = entry.get("surrogate", dialect.surrogate)
    layer.rate = SimpleNamespace(m=m, sigma="logistic" if dialect.regulariser_reads == "logistic" else layer.sigma)
    layer.reads_spikes, layer.at = dialect.readout == "spikes", dialect.threshold == "at_or_above"
    layer.gain_Q, layer.gain_P = (_gain(m, dialect.gains, x) for x in (layer.beta, layer.alpha))
    layer.strength = _strength(m, dialect, layer)
    layer.connections, layer.by_sigma = Connections(m, entry), dialect.pooling == "pool_S"
    B, sizes = about["batch"], {"P": entry["n_in"], "Q": entry["n_in"], "R": entry["n"]}
    layer.state = tuple(case_arrays.get(f"{x}0", np.zeros((B, size))) for x, size in sizes.items())
    kept.convert(layer, m, dialect)
    layer.N = B if entry["loss"] == "cross_entropy" else B * entry["n_out"]
    layer.N = layer.N if entry["reduction"] == "mean" else 1
    layer.G_back, layer.burn_in, layer.learns, layer.count = layer.G, about.get("burn_in", 0), about["learn"], 0
    layer.optimiser = {"kind": "adamax", "beta1": 0.0, "beta2": 0.95, "eps": 1e-8} | about.get("optimiser", {})
    layer.moments = {x: (np.zeros_like(case_arrays[x]), np.zeros_like(case_arrays[x])) for x in "Wb"}
    layer.step, layer.learn, layer.slope, layer.eligible, layer.gradient = (
        step,
        learn,
        slope,
        (lambda layer, row: row["P"]),
        gradient,
    )
    layer.hear, layer.error, layer.bias, layer.last = (lambda layer, x: x), error, (lambda layer: layer.b), None
    return layer


def _gain(m, option, decay):
    """A function of the input of a filter: its product with the gain, or the two factors."""
    if option == "one":
        return lambda x: x
    leak = m.fit(1 - decay)
    if m.variation.constants == "at once":
        constant = leak if option == "leak" else m.fit(1 / (1 - decay))
        return lambda x: (constant, x)
    if option == "leak":
        return lambda x: (leak, x)
    return (lambda x: m.over(x, leak)) if m.variation.gain == "quotient" else (lambda x: (m.over(1.0, leak), x))


def _strength(m, dialect, layer):
    """delta, from w."""
    if m.variation.constants == "at once":
        return m.fit(dialect.value("refractory")(layer.gamma) * layer.w)
    if dialect.refractory == "w":
        return layer.w
    return m.times(layer.gamma if dialect.refractory == "gamma_w" else m.fit(1 - layer.gamma), layer.w)


def filtered(layer, decay, before, gain, x):
    """decay before + g x."""
    m, into = layer.m, gain(x)
    if not isinstance(into, tuple):
        return m.total(decay, before, into)
    if m.variation.fused == "input":
        return m.total(*into, m.times(decay, before))
    return m.total(decay, before, m.times(*into))


def step(layer, x, target):
    """One step: the rows of the trace, and the state after it."""
    m, (P, Q, R) = layer.m, layer.state
    Q_new = filtered(layer, layer.beta, Q, layer.gain_Q, layer.hear(layer, x))
    P_new = filtered(layer, layer.alpha, P, layer.gain_P, Q_new if layer.new_P else Q)
    read = (P_new, Q_new) if layer.new_U else (P, Q)
    U = membrane(layer, read[0], R)
    own, winners = spike(layer, U), None
    if layer.connections.pool:
        winners = layer.connections.winners(U, sigma(layer, U) if layer.by_sigma else U)
    u = U if winners is None else np.take_along_axis(U, winners, axis=-1)
    S = spike(layer, u)
    Y = m.add(m.dot(layer.G, (S if layer.reads_spikes else sigma(layer, u))[:, None, :]), layer.c)
    row = dict(zip("PQRUSY", (*read, R, U, S, Y), strict=True)) | {"W": layer.W, "b": layer.b}
    row |= {"u": u, "winners": winners}
    row |= {"e": layer.error(layer, Y, target)}
    row |= {"delta": backward(layer, row)}
    dW, db = layer.gradient(layer, row)
    return row | {"dW": dW, "db": db, "after": (P_new, Q_new, kept.refractory(layer, R, own))}


def spike(layer, U):
    """Theta(U)."""
    return ((U >= 0) if layer.at else (U > 0)).astype(np.float64)


def membrane(layer, P, R):
    """U = W P + b - delta R."""
    m, W, b = layer.m, layer.W, layer.bias(layer)
    P, drive, each = kept.drive_reads(layer, P), layer.connections.drive, layer.connections.spread(b).ravel()
    if m.variation.bias == "refractory":
        return m.add(drive(W, P), kept.minus_refractory(layer, R, each))
    driven = drive(W, P, start=b) if m.variation.bias == "first" else m.add(drive(W, P), each)
    return kept.minus_refractory(layer, R, driven)


def sigma(layer, U):
    """sigma(U), operation by operation."""
    m = layer.m
    if layer.sigma == "logistic":
        z = m.exp(-np.abs(U))
        return m.looked_up(m.over(np.where(U < 0, z, 1.0), m.add(1.0, z)))
    if layer.sigma == "fast_sigmoid":
        return m.looked_up(m.add(0.5, m.over(U, m.add(1.0, np.abs(U)))))
    return m.looked_up(m.fit(SIGMAS[layer.sigma].primitive(U)))


def slope(layer, row):
    """sigma'(U), operation by operation."""
    m, U = layer.m, row["u"]
    if layer.sigma == "logistic" and m.variation.slope == "sigma":
        s = sigma(layer, U)
        return m.times(s, m.add(1.0, -s))
    if layer.sigma == "logistic":
        z = m.exp(-np.abs(U))
        q = m.over(1.0, m.add(1.0, z))
        return m.looked_up(m.times(m.times(z, q), q))
    if layer.sigma == "fast_sigmoid":
        q = m.over(1.0, m.add(1.0, np.abs(U)))
        return m.looked_up(m.times(q, q))
    return m.looked_up(m.fit(SIGMAS[layer.sigma].derivative(U)))


def error(layer, Y, target):
    """e = dL/dY."""
    m, loss = layer.m, layer.about["loss"]
    d = m.add(softmax(m, Y, target) if loss == "cross_entropy" else Y, -target)
    d = np.clip(d, -1, 1) if loss == "smooth_l1" else d
    if layer.N == 1:
        return d
    return m.over(d, layer.N) if m.variation.share == "quotient" else m.times(d, m.fit(1 / layer.N))


def softmax(m, Y, target):
    """softmax(Y) (sum of the target)."""
    shifted = m.add(Y, -Y.max(axis=-1, keepdims=True))
    powers = m.exp(shifted)
    total = m.sum(powers)[:, None]
    p = m.over(powers, total)
    if m.variation.softmax == "log":
        p = m.exp(m.add(shifted, -m.fit(np.log(total))))
    return m.times(p, m.sum(target)[:, None])


def backward(layer, row):
    """delta = (G^T e) sigma'(U), plus the regularisers'."""
    m, U = layer.m, row["u"]
    back = m.dot(layer.G_back.T, row["e"][:, None, :], "forward" if m.variation.by_output else "")
    if m.variation.slope == "quotient" and layer.sigma == "fast_sigmoid" and layer.slope is slope:
        d = m.add(1.0, np.abs(U))
        delta = m.over(back, d * d) if m.profile.fixed else m.over(m.over(back, d), d)  # fixed: one rounding
    else:
        delta = m.times(back, layer.slope(layer, row))
    active, silent = (m.fit(layer.about.get(x, 0.0)) for x in ("lambda1", "lambda2"))
    share = m.fit(1 / U.size)
    if active:
        delta = m.add(delta, m.times(active, share) * (U + m.fit(0.01) > 0))
    if silent:
        delta = m.add(delta, -m.times(m.times(silent, share), quiet(layer, row)))
    return delta if row["winners"] is None else layer.connections.pool.route(delta, row["winners"])


def quiet(layer, row):
    """The slope of the mean activity where the mean is below 0.1, else 0."""
    m, U = layer.m, row["u"]
    if layer.about.get("activity") == "membrane":
        mean = m.times(m.sum(U), m.fit(1 / U.shape[-1]))[:, None]
        return np.broadcast_to(mean < m.fit(0.1), U.shape).astype(np.float64)
    mean = m.times(m.sum(sigma(layer.rate, U).ravel()), m.fit(1 / U.size))
    return slope(layer.rate, row) * (mean < m.fit(0.1))


def gradient(layer, row):
    """dW = sum of delta P over the batch, db = sum of delta."""
    order, P = "forward" if layer.m.variation.by_sample else "", kept.drive_reads(layer, layer.eligible(layer, row))
    return layer.connections.gradient(layer.W, row["delta"], P, order)


def learn(layer, row):
    """One update of W and b by the optimiser."""
    if not layer.learns or layer.now < layer.burn_in:
        return
    layer.count += 1
    for x in "Wb":
        g, rate = kept.descent(layer, x, row[f"d{x}"])
        setattr(layer, x, updated(layer, x, getattr(layer, x), g, rate))


def updated(layer, x, theta, g, rate):
    """theta - lr g, or theta - (lr / (1 - beta1^t)) m / u."""
    m = layer.m
    if layer.optimiser["kind"] == "sgd":
        return m.total(-rate, g, theta)
    beta1, beta2, eps = (m.fit(layer.optimiser[x]) for x in ("beta1", "beta2", "eps"))
    mean, u = layer.moments[x]
    mean = g if beta1 == 0 else m.total(beta1, mean, m.times(m.add(1.0, -beta1), g))
    u = np.maximum(m.times(beta2, u), m.add(np.abs(g), eps))
    layer.moments[x] = mean, u
    rate = rate if beta1 == 0 else m.over(rate, m.add(1.0, -m.power(beta1, layer.count)))
    if m.variation.rate == "first":
        return m.total(-m.over(rate, u), mean, theta)
    return m.total(-rate, m.over(mean, u), theta)
