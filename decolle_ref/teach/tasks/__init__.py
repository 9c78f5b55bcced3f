"""The exercises: one module per notebook, `tNN_name` for `tutorials/NN_name.ipynb`, each with a tuple `TASKS`."""
