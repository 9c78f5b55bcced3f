"""The exercises: one module per notebook, `tNN_name` for `tutorials/NN_name.ipynb`, each with a tuple `TASKS`.

A long exercise may have a module of its own, under another name, from which that of the notebook takes it.
"""
