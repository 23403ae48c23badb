"""Films: decoded, stabilized, coloured, encoded, with all their other streams."""
