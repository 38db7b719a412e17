"""What lies in a directory for `--find-links` beside the files that installers see there."""
