"""Evidence of Neuraxis."""
