"""What kind `devpi` is made of: addresses, the client adapter, topology, holdings, replicas."""
