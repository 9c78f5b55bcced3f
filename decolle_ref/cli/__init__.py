"""The command line `decolle-ref`; `main.main` runs it.  Read `main` first, then `learn`."""
