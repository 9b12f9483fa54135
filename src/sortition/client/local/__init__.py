"""The in-process client: the core itself answers, fed with snapshots, and what it takes is shipped to the sidecar."""
