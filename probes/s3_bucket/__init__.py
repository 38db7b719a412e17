"""A bucket behind the S3 interface: its objects, their older versions, its index pages."""
