"""Real caching proxies in front of the embedded PyPI, each as a subject of the story driver."""
