"""Drawing, apart from computing: each function takes arrays and returns a matplotlib Figure."""
