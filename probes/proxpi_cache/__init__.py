"""What the kind `proxpi` knows of that cache."""
