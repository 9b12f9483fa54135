"""The gRPC surface: the hot path in `data`, the control plane in `admin` and `analysis`, and their server."""
