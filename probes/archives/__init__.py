"""Archives read as streams: nothing is unpacked, and everything is bounded."""
