"""The standalone gateway: routing, credentials and forwarding around the access log."""
