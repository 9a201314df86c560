"""What the software itself has to say, by the standard logging under `gatewaylog`."""
