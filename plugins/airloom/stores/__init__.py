"""What outlives a run: the lake, the quarantine, the feature stores, the model registry and the ledger."""
