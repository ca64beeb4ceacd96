"""Domain values: what the engine talks about, in standard library and NumPy only."""
