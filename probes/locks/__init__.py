"""Lock files and requirement files: what each says about one project."""
