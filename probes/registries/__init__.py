"""Registries with a search of their own: Nexus, Artifactory, Pulp. Seen by nobody here running."""
