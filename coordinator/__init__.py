"""The control plane: placement of shards, the identify gate's opening, command registration, the status page."""
