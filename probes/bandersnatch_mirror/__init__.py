"""What bandersnatch leaves on disk and shows over HTTP (measured with bandersnatch 6.8)."""
