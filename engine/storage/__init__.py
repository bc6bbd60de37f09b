"""Networks on disk: the file format, its limits, and the only writer."""
