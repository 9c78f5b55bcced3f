"""A test bench in Python, for cocotb: the layer against the integer model, through the host's port alone.

cocotb imports this module inside the simulator; `tests/examples/test_verilog.py` starts it.  DECOLLE_CASE names a case
folder with one layer.  After each step every number that the host can read must be the model's, bit for bit.
"""

import os
import re
import sys
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from decolle_ref import cases

sys.path.insert(0, str(Path(__file__).parents[1]))
import fixed_point

LAYOUT = (Path(__file__).parent / "layout.vh").read_text()


def layout(**sizes):
    """The addresses of layout.vh for these sizes."""
    names = dict(sizes)
    for name, value in re.findall(r"localparam (\w+) = ([^;$]+);", LAYOUT):
        names[name] = eval(value, {}, names)
    return names


class Host:
    """Reads and writes the memory of the layer, and runs steps."""

    def __init__(self, dut, case):
        sizes = {"N_IN": "n_in", "N": "n", "N_OUT": "n_out"}
        self.dut = dut
        self.at = layout(BATCH=case["batch"], **{name: case["layers"][0][key] for name, key in sizes.items()})

    async def write(self, base, array, stride=0):
        """Write rows, whose first words are `stride` apart."""
        self.dut.host_write.value = 1
        for row, words in enumerate(np.atleast_2d(array)):
            for column, word in enumerate(words):
                self.dut.host_address.value = base + row * stride + column
                self.dut.host_write_data.value = int(word)
                await FallingEdge(self.dut.clk)
        self.dut.host_write.value = 0

    async def read(self, base, shape, stride):
        """Read rows; a word comes one cycle after its address."""
        got = np.zeros(shape, np.int64)
        for row, column in np.ndindex(*shape):
            self.dut.host_address.value = base + row * stride + column
            await FallingEdge(self.dut.clk)
            got[row, column] = self.dut.host_data.value.to_signed()
        return got

    async def run(self, learn):
        """One step; returns the gradients that the layer shows, dW beside db."""
        self.dut.learn.value, self.dut.start.value, shown = learn, 1, []
        await FallingEdge(self.dut.clk)
        self.dut.start.value = 0
        while self.dut.busy.value:
            await FallingEdge(self.dut.clk)
            if self.dut.gradient_valid.value:
                shown.append(self.dut.gradient.value.to_signed())
        return np.array(shown)


async def load(host, model):
    """Write constants, weights and the state at rest."""
    at, one, batch = host.at, fixed_point.ONE, len(model.P)
    await host.write(at["ONE_AT"], [one, 2 * one])
    for name in ("alpha", "beta", "rate_W", "gamma", "rate_b"):
        await host.write(at[name.upper()], model.arrays[name])
    for name, array in (("GAIN_P", model.gain_P), ("GAIN_Q", model.gain_Q), ("DELTA_R", model.delta_R)):
        await host.write(at[name], array)
    await host.write(at["W"], np.column_stack([model.W, model.b]), at["ROW_IN"])
    await host.write(at["G"], np.column_stack([model.arrays["G"], model.arrays["c"]]), at["ROW"])
    ones = np.full((batch, 1), one)
    await host.write(at["P"], np.hstack([model.P, ones]), at["ROW_IN"])
    await host.write(at["Q"], model.Q, at["ROW_IN"])
    await host.write(at["R"], model.R, at["ROW"])
    for name in "SA":
        await host.write(at[name], np.hstack([np.zeros_like(model.R), ones]), at["ROW"])


def following(trace, name, t):
    """What the step after t reads: the next row, or the end."""
    rows = trace[f"layer1_{name}"]
    return rows[t + 1] if t + 1 < len(rows) else trace[f"layer1_{name}_final"]


def expected(trace, t, reads_new_P):
    """The arrays that stand in memory after step t, by their names in layout.vh."""
    now = {name: trace[f"layer1_{old}"][t] for name, old in zip("USYED", ("U", "S", "Y", "e", "delta"), strict=True)}
    traces = {x: trace[f"layer1_{x}"][t] if reads_new_P else following(trace, x, t) for x in "PQ"}
    weights = np.column_stack([following(trace, "W", t), following(trace, "b", t)])
    return now | traces | {"R": following(trace, "R", t), "W": weights}


@cocotb.test()
async def the_layer_is_its_integer_model(dut):
    """Every number after every step, and every gradient."""
    case = cases.read(Path(os.environ["DECOLLE_CASE"]))
    trace = {name: x * fixed_point.ONE for name, x in fixed_point.backend(case.about, case.arrays).items()}
    (model,) = fixed_point.layers(case.about, case.arrays)
    host = Host(dut, case.about)
    for name in ("start", "learn", "host_write", "host_address"):
        getattr(dut, name).value = 0
    dut.targets.value, dut.reset.value = 1, 1
    cocotb.start_soon(Clock(dut.clk, 2, "step").start())
    await RisingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.reset.value = 0
    await load(host, model)
    for t, S_in in enumerate(case.arrays["inputs"]):
        await host.write(host.at["S_IN"], S_in.astype(np.int64) * fixed_point.ONE, host.at["ROW_IN"])
        await host.write(host.at["TARGET"], model.arrays["target"][t], len(model.arrays["c"]))
        shown = await host.run(case.about["learn"])
        gradients = np.column_stack([trace["layer1_dW"][t], trace["layer1_db"][t]])
        np.testing.assert_array_equal(shown.reshape(gradients.shape), gradients)
        for name, array in expected(trace, t, model.dialect.U_reads == "new_P").items():
            stride = len(model.arrays["c"]) if name in "YE" else host.at["ROW_IN" if name in "PQW" else "ROW"]
            got = await host.read(host.at[name], array.shape, stride)
            np.testing.assert_array_equal(got, array, err_msg=f"{name} after step {t}")
