"""What a valid variant keeps in another form, and how its adapter converts it for the trace.

    delta R for R; P / (g_P g_Q) and Q / g_Q for P and Q; W g_P g_Q for W

`convert` prepares a layer; the other functions take the operations of a step that depend on the form.
"""

import numpy as np


def convert(layer, m, dialect):
    """Constants and the start of a layer, in the form that the variation keeps."""
    layer.forms = m.variation.keeps.split("+")
    layer.by_delta, layer.gain_in_W = "delta_R" in layer.forms, "gain_in_W" in layer.forms
    layer.ungained = layer.gain_in_W or "traces_without_gain" in layer.forms
    layer.shown, (P, Q, R) = shown, layer.state
    if layer.by_delta:
        R = m.times(layer.strength, R)
    if layer.ungained:
        leaks = [m.fit(1 - x) for x in (layer.beta, layer.alpha)]
        gains = {"one": lambda x: np.ones_like(x), "leak": lambda x: x, "inverse": lambda x: m.over(1.0, x)}
        layer.of_Q, of_P = (gains[dialect.gains](x) for x in leaks)
        layer.of_P = m.times(layer.of_Q, of_P)
        layer.gain_Q = layer.gain_P = lambda x: x
        P, Q = m.over(P, layer.of_P), m.over(Q, layer.of_Q)
    if layer.gain_in_W:
        layer.column = columns(layer)
        layer.W = m.times(layer.W, layer.column)
    layer.state = P, Q, R


def columns(layer):
    """The gain of P as a factor of W; a convolution has the same in every place of a channel."""
    if layer.W.ndim == 2:
        return layer.of_P
    return layer.of_P.reshape(layer.W.shape[1], -1)[:, :1, None]


def drive_reads(layer, P):
    """The trace that W multiplies: with its gain, unless W has it."""
    return layer.m.times(layer.of_P, P) if layer.ungained and not layer.gain_in_W else P


def refractory(layer, R, S):
    """R (or delta R) after a step."""
    return layer.m.total(layer.gamma, R, layer.strength * S if layer.by_delta else S)


def minus_refractory(layer, R, x):
    """x - delta R."""
    return layer.m.add(x, -R) if layer.by_delta else layer.m.total(-layer.strength, R, x)


def descent(layer, x, g):
    """The gradient and the learning rate of what is kept: of W g_P, both are multiplied by g_P."""
    rate = getattr(layer, f"rate_{x}")
    if not (x == "W" and layer.gain_in_W):
        return g, rate
    return layer.m.times(layer.column, g), layer.m.times(layer.column, rate)


def shown(layer, row):
    """The row of the trace, converted from what is kept."""
    m, row = layer.m, {name: x for name, x in row.items() if name not in ("u", "winners")}
    if layer.by_delta and "R" in row:
        row["R"] = m.over(row["R"], layer.strength)
    if layer.ungained and "P" in row:
        row |= {"P": m.times(layer.of_P, row["P"]), "Q": m.times(layer.of_Q, row["Q"])}
    if layer.gain_in_W:
        row["W"] = m.over(row["W"], layer.column)
        if "dW" in row:
            row["dW"] = m.times(layer.column, row["dW"])
    return row
