"""The oracle: does another implementation compute DECOLLE, equation by equation, on its own numbers?

Comparing spikes or weights of two runs fails even for correct implementations, because a threshold amplifies rounding,
and loosening the tolerance lets mistakes through.  So every equation is evaluated here on the numbers that the
implementation itself wrote down, and must be met within a bound that follows from its arithmetic.  A pass means: what
was written down is an exact orbit of the specification, perturbed at every equation by no more than the bound.
"""
