"""decolle."""
