"""The gateway: sockets, sessions, and the limits on them."""
