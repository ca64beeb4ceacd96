"""Desktop of Neuraxis."""
