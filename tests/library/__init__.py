"""The library, and what authors of probes rely on."""
