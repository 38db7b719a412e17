"""What every probe is made with: guarded requests, page parsing, evidence."""
