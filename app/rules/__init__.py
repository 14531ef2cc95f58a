"""Rule documents, their versions, and the detectors that read telemetry by them."""
