"""Colours that are known before the network paints: points, reference photographs, palettes."""
