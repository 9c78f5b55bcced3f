"""spikes_only."""
