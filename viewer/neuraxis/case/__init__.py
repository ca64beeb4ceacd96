"""Case of Neuraxis."""
