"""Figures: one module per experiment, with the experiment's name.  They need matplotlib, the extra `figures`.

    plot(...)                   draws arrays and returns a matplotlib Figure; it opens and writes no file
    save_figures(out, results)  reads what a run left in the folder `out`, draws it, writes PNG files into `out` and
                                returns the list of their paths; `results` is what the run returned

No module here simulates or learns; what is drawn was computed in `decolle_ref.experiments`.  A plot may evaluate a
formula on a grid (`surrogates`) or summarise its arrays, for instance by a median over seeds.  Read `landscape` first:
it is the shortest one of the usual form.  `graph`, `graph_decolle`, the modules `schematics_...` and `surrogates` draw
figures of the papers that need no run, `kill_matrix` draws a table of the documentation, and `benchmarks` what
`python -m benchmarks` measured.  `event_clouds` and `event_network` draw recordings and the network that learns from
them, and `clip_votes` what it answers while it sees one.  The numbers of `dialect_comparison` and `lif_dynamics` come
in a second from the experiment of the same name.  `style` holds the colours and line styles that all figures share.
"""

__all__ = [
    "alignment",
    "benchmarks",
    "clip_votes",
    "convnet",
    "credit",
    "dialect_comparison",
    "dvsgesture",
    "event_clouds",
    "event_network",
    "graph",
    "graph_decolle",
    "kill_matrix",
    "landscape",
    "lif_dynamics",
    "nmnist",
    "nmnist_convnet",
    "patterns",
    "poisson_mnist",
    "regression",
    "replay",
    "replay_mnist",
    "scaling",
    "schematics_feedback",
    "schematics_neuron",
    "schematics_xor",
    "spikegrad_cifar10",
    "spikegrad_images",
    "spikegrad_mnist",
    "style",
    "superspike",
    "surrogates",
    "sweep",
    "xor",
]
