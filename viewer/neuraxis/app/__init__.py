"""App of Neuraxis."""
