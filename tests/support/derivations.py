"""A derivation as a user may write it, and thirty mistakes in it."""

RIGHT = """
import numpy as np


def gradient(p):
    T = len(p.x)
    dW, dV = [np.zeros_like(W) for W in p.W], [np.zeros_like(V) for V in p.V]
    gI, gU = ([np.zeros(len(V)) for V in p.V] for _ in "IU")
    below = [p.x, p.S[0]]
    for n in range(T - 1, -1, -1):
        new_gI, new_gU = [None, None], [None, None]
        for l in range(2):
            dW[l] += np.outer(gI[l], below[l][n])
            dV[l] += np.outer(gI[l], p.S[l][n])
            gS = np.zeros(len(p.V[l]))
            if p.G[l] is not None:
                e = p.S[l][n] @ p.G[l].T - p.target[n]
                gS += p.G[l].T @ e
            gS += p.V[l].T @ gI[l]
            if l == 0:
                gS += p.W[1].T @ gI[1]
            gS -= gU[l]
            slope = p.dsigma(p.U[l][n] - p.theta)
            new_gU[l] = slope * gS + p.beta * gU[l]
            new_gI[l] = gU[l] + p.alpha * gI[l]
        gI, gU = new_gI, new_gU
    return {"W1": dW[0], "V1": dV[0], "W2": dW[1], "V2": dV[1]}
"""

RETURN = 'return {"W1": dW[0], "V1": dV[0], "W2": dW[1], "V2": dV[1]}'
ERROR = "e = p.S[l][n] @ p.G[l].T - p.target[n]"
SLOPE = "p.dsigma(p.U[l][n] - p.theta)"


def _after(matrix):
    return [(RETURN, RETURN.replace("return ", "right = ") + f"\n    return {{k: {matrix} for k, m in right.items()}}")]


NO_PAST = [("+ p.beta * gU[l]", ""), ("+ p.alpha * gI[l]", "")]
NO_RESET = [("gS -= gU[l]", "pass")]
NO_V = [("gS += p.V[l].T @ gI[l]", "pass")]
NO_DOWN = [("gS += p.W[1].T @ gI[1]", "pass")]
NO_SLOPE = [(SLOPE, "np.ones(len(p.V[l]))")]
NO_G = [("p.G[l].T @ e", "e")]
SIGN = [(ERROR, "e = p.target[n] - p.S[l][n] @ p.G[l].T")]
MEAN_T = _after("m / T")
MEAN_K = [(ERROR, f"{ERROR}\n                e = e / len(e)")]
PRE_LATE = [("below[l][n])", "below[l][n - 1] * (n > 0))"), ("gI[l], p.S[l][n])", "gI[l], p.S[l][n - 1] * (n > 0))")]
PRE_EARLY = [
    ("below[l][n])", "below[l][n + 1] if n + 1 < T else 0 * below[l][n])"),
    ("gI[l], p.S[l][n])", "gI[l], p.S[l][n + 1] if n + 1 < T else 0 * p.S[l][n])"),
]
ERROR_LATE = [(ERROR, "e = (p.S[l][n - 1] @ p.G[l].T - p.target[n - 1]) * (n > 0)")]
TRANSPOSED = _after("m.T")
SWAPPED = [("p.beta * gU[l]", "p.alpha * gU[l]"), ("p.alpha * gI[l]", "p.beta * gI[l]")]

PLANTED = [  # (edits of RIGHT, words that the report must contain)
    (NO_PAST, ["past"]),
    (NO_RESET, ["the reset path"]),
    (NO_V, ["the recurrent path V"]),
    (NO_DOWN, ["downstream"]),
    (NO_RESET + NO_V, ["the reset path", "the recurrent path V"]),
    (NO_RESET + NO_V + NO_DOWN, ["the reset path", "the recurrent path V", "downstream"]),
    (NO_PAST + NO_RESET + NO_V + NO_DOWN, ["past", "the reset path", "the recurrent path V", "downstream"]),
    (SIGN, ["sign"]),
    ([(ERROR, f"{ERROR}\n                e = 2 * e")], ["factor 2"]),
    (MEAN_T, ["mean over steps"]),
    (MEAN_K, ["mean over outputs"]),
    (NO_SLOPE, ["sigma' is missing"]),
    ([("p.dsigma", "p.sigma")], ["sigma in place of sigma'"]),
    ([(" - p.theta", "")], ["sigma' without theta"]),
    (
        [(SLOPE, f"({SLOPE.replace('[n]', '[n - 1]')} if n else p.dsigma(0 * p.U[l][n] - p.theta))")],
        ["sigma' one step late"],
    ),
    ([(SLOPE, "p.dsigma(p.beta * p.U[l][n] + p.I[l][n] - p.S[l][n] - p.theta)")], ["sigma' one step early"]),
    (NO_G, ["G is missing"]),
    ([("p.G[l].T @ e", "p.G[l] @ e")], ["G transposed"]),
    (ERROR_LATE, ["error one step late"]),
    (
        [(ERROR, "e = p.S[l][n + 1] @ p.G[l].T - p.target[n + 1] if n + 1 < T else 0 * p.target[n]")],
        ["error one step early"],
    ),
    (PRE_LATE, ["presynaptic spike one step late"]),
    (PRE_EARLY, ["presynaptic spike one step early"]),
    ([("p.W[1].T @", "p.W[1] @")], ["W in place of W^T"]),
    ([("p.V[l].T @", "p.V[l] @")], ["V in place of V^T"]),
    (TRANSPOSED, ["the result is transposed"]),
    (SWAPPED, ["alpha and beta exchanged"]),
    (NO_SLOPE + NO_G, ["sigma' is missing", "G is missing"]),
    (SIGN + PRE_EARLY, ["sign", "presynaptic spike one step early"]),
    (MEAN_T + NO_RESET, ["mean over steps", "the reset path"]),
    (TRANSPOSED + NO_G, ["the result is transposed", "G is missing"]),
    (MEAN_K + ERROR_LATE + NO_DOWN, ["mean over outputs", "error one step late", "downstream"]),
    (NO_RESET + NO_V + NO_DOWN + NO_SLOPE + SIGN, ["the reset path", "V", "downstream", "sigma' is missing", "sign"]),
]


FORWARD = '''
import numpy as np


def gradient(p):
    """The gradient of layer 2, forward in time: P, Q are dU_k/dW_ij, dI_k/dW_ij."""
    n = len(p.V[1])
    eye = np.eye(n)
    z = np.concatenate([p.S[0], p.S[1]], axis=1)
    P = np.zeros((n, n, z.shape[1]))
    Q = np.zeros_like(P)
    dW = np.zeros(P.shape[1:])
    for t in range(len(p.x)):
        e = p.S[1][t] @ p.G[1].T - p.target[t]
        dS = p.dsigma(p.U[1][t] - p.theta)[:, None, None] * P
        dW += np.einsum("k,kij->ij", p.G[1].T @ e, dS)
        new_Q = p.alpha * Q + np.einsum("ki,j->kij", eye, z[t]) + np.einsum("kc,cij->kij", p.V[1], dS)
        P = p.beta * P + Q - dS
        Q = new_Q
    n_below = p.W[1].shape[1]
    return {"W2": dW[:, :n_below], "V2": dW[:, n_below:]}
'''
NO_V_NO_RESET = [
    (' + np.einsum("kc,cij->kij", p.V[1], dS)', ""),
    ("P = p.beta * P + Q - dS", "P = p.beta * P + Q"),
]  # SuperSpike
NEW_Q = [*NO_V_NO_RESET, ("P = p.beta * P + Q\n", "P = p.beta * P + new_Q\n")]
ONE_LAYER = ("the reset path", "the recurrent path V")

NATURAL = [  # (text, edits, words)
    (FORWARD, NO_V_NO_RESET, ONE_LAYER),
    (FORWARD, NEW_Q, (*ONE_LAYER, "off by one step")),
    (
        FORWARD,
        [
            *NO_V_NO_RESET,
            ("        dS = p", "        P, old = p.beta * P + Q, P\n        dS = p"),
            ("P = p.beta * P + Q\n", "pass\n"),
        ],
        (*ONE_LAYER, "off by one step"),
    ),
    (
        FORWARD,
        [
            *NO_V_NO_RESET,
            ("        dS = p", "        Q = p.alpha * Q + np.einsum('ki,j->kij', eye, z[t])\n        dS = p"),
            ("        dS = p", "        P = p.beta * P + Q\n        dS = p"),
            ("        P = p.beta * P + Q\n        Q = new_Q", "        pass"),
        ],
        (*ONE_LAYER, "off by two steps"),
    ),
    (FORWARD, [("p.target[t]\n", "p.target[t]\n        e = 2 * e / p.target.size\n")], ("and no 1/2 in the loss",)),
    (FORWARD, [("P = p.beta * P + Q - dS", "P = p.beta * P + Q + dS")], ("the reset path has the wrong sign",)),
    (FORWARD, [("Q - dS", "Q - p.theta * dS")], ("the reset path is multiplied by theta",)),
    (FORWARD, [("- p.theta)", ")")], ("sigma' without theta",)),
    (
        RIGHT,
        [
            (
                "            dW[l] += np.outer(gI[l], below[l][n])\n            dV[l] += np.outer(gI[l], p.S[l][n])\n",
                "",
            ),
            (
                "        gI, gU = new_gI, new_gU\n",
                "        gI, gU = new_gI, new_gU\n        for l in range(2):\n"
                "            dW[l] += np.outer(gI[l], below[l][n])\n"
                "            dV[l] += np.outer(gI[l], p.S[l][n])\n",
            ),
        ],
        ("off by one step",),
    ),
    (
        RIGHT,
        [("slope = p.dsigma(p.U[l][n] - p.theta)", "slope = 1 if l else p.dsigma(p.U[l][n] - p.theta)")],
        ("sigma' is missing in the top layer",),
    ),
    (RIGHT, [(ERROR, f"{ERROR}\n                e = e / 2")], ("a factor 1/2",)),
]


def source(edits, text=RIGHT):
    """The text with its edits; the old text of each must occur."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


def function(edits=(), text=RIGHT):
    """The derivation as a function."""
    names = {}
    exec(source(edits, text), names)
    return names["gradient"]
