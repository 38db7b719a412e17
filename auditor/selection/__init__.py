"""What an installer would choose: candidates, environments, policies."""
