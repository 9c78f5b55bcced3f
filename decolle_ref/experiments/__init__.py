"""The papers' experiments: runnable, resumable, used by the command line, figures and tutorials alike."""
