"""The reference implementation of DECOLLE and its relatives, written out by hand in NumPy.

Reading order, which is also the order of imports: surrogate, dialects, lif, synapse, readout, objective, rule, optim,
learner, network.  Then gradcheck, which proves the rule, and experiments/regression, which uses it.

Papers and their tags:
    [K20] Kaiser, Mostafa, Neftci, Synaptic Plasticity Dynamics for Deep Continuous Local Learning (DECOLLE),
          arXiv:1811.10766, Frontiers in Neuroscience 14:424 (2020)
    [N19] Neftci, Mostafa, Zenke, Surrogate Gradient Learning in Spiking Neural Networks, arXiv:1901.09948 (2019)
    [T19] Thiele, Bichler, Dupret, SpikeGrad, arXiv:1906.00851 (2019)
"""

__version__ = "0.1.0"

from decolle_ref import gradcheck
from decolle_ref.decolle import dialects, lif, network, readout
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.network import Carry, Layer
from decolle_ref.decolle.synapse import Dense, Weights

__all__ = ["Carry", "Dense", "Layer", "Learner", "Weights", "dialects", "gradcheck", "lif", "network", "readout"]
