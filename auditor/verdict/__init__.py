"""The judge: pure rules from observations to verdicts."""
